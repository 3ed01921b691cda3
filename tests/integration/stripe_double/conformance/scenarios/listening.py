"""Webhook endpoints, event destinations, events."""

from __future__ import annotations

from tests.integration.stripe_double.conformance.in_process import Shop
from tests.integration.stripe_double.conformance.scenarios import stock

URL = "http://127.0.0.1:9/hook"


def endpoints(shop: Shop) -> None:
    endpoints = shop.v1.webhook_endpoints
    made = endpoints.create(
        {"url": URL, "enabled_events": ["invoice.paid"], "metadata": {"a": "b"}}
    )
    endpoints.update(made.id, {"enabled_events": ["*"], "description": "all"})
    endpoints.retrieve(made.id)
    endpoints.list({"limit": 3})
    endpoints.update(made.id, {"disabled": True})
    endpoints.delete(made.id)


def events(shop: Shop) -> None:
    stock.bought(shop)
    listed = shop.v1.events.list({"limit": 5, "types": ["invoice.paid", "customer.created"]}).data
    shop.v1.events.retrieve(listed[0].id)


def destinations(shop: Shop) -> None:
    destinations = shop.v2.core.event_destinations
    made = destinations.create(
        {
            "name": "thin",
            "type": "webhook_endpoint",
            "event_payload": "thin",
            "enabled_events": ["v1.customer.created"],
            "webhook_endpoint": {"url": URL},
            "include": ["webhook_endpoint.signing_secret", "webhook_endpoint.url"],
        }
    )
    destinations.update(made.id, {"description": "everything thin"})
    destinations.retrieve(made.id)
    destinations.list({"limit": 3})
    destinations.disable(made.id)
    destinations.enable(made.id)
    destinations.ping(made.id)
    destinations.delete(made.id)


def thin_events(shop: Shop) -> None:
    shop.v2.core.event_destinations.create(
        {
            "name": "thin",
            "type": "webhook_endpoint",
            "event_payload": "thin",
            "enabled_events": ["v1.customer.created", "v2.core.event_destination.ping"],
            "webhook_endpoint": {"url": URL},
        }
    )
    shop.v1.customers.create({})
    listed = shop.v2.core.events.list({"limit": 5}).data
    shop.v2.core.events.retrieve(listed[0].id)


SCENARIOS = (endpoints, events, destinations, thin_events)
