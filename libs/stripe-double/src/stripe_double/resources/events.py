"""Events: every one of the last 30 days, delivered or not."""

from __future__ import annotations

from collections.abc import Iterator

from stripe_double.engine.errors import invalid_request, resource_missing
from stripe_double.engine.event_types import is_thin_only
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import core_events
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, page

KEPT_SECONDS = 30 * 86_400
MAX_TYPES = 20


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/events/{id}"""
    event = tx.get("event", call.object_id)
    if is_thin_only(event["type"]) or event["created"] < tx.now - KEPT_SECONDS:
        raise resource_missing("event", call.object_id)
    return rendered(tx, event)


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/events"""
    params = call.params
    types = params.get("types") or []
    if params.get("type") and types:
        raise invalid_request("You may only specify one of these parameters: type, types.")
    if len(types) > MAX_TYPES:
        raise invalid_request(f"You may pass at most {MAX_TYPES} types.", param="types")
    wanted = types or [params["type"]] if params.get("type") or types else None
    latest = tx.now - tx.options.event_list_lag_seconds
    found = created_within(_kept(tx, latest), params)
    if wanted is not None:
        found = (event for event in found if _is_one_of(event["type"], wanted))
    delivered = params.get("delivery_success")
    if delivered is not None:
        found = (event for event in found if is_delivered(tx, event) == delivered)
    listed = page(found, params, url="/v1/events")
    return {**listed, "data": [rendered(tx, event) for event in listed["data"]]}


def rendered(tx: Transaction, event: Record) -> JsonObject:
    """The event with the number of endpoints that have not taken it yet."""
    deliveries = tx.store.newest("delivery", where={"event": event["id"]})
    waiting = sum(1 for delivery in deliveries if delivery["state"] != "succeeded")
    return {**event, "pending_webhooks": waiting}


def is_delivered(tx: Transaction, event: Record) -> bool:
    """Whether every endpoint that was to have the event took it."""
    deliveries = tx.store.newest("delivery", where={"event": event["id"]})
    return all(delivery["state"] == "succeeded" for delivery in deliveries)


def _kept(tx: Transaction, latest: float) -> Iterator[Record]:
    horizon = tx.now - KEPT_SECONDS
    return (
        event
        for event in tx.newest("event")
        if horizon <= event["created"] <= latest and not is_thin_only(event["type"])
    )


def _is_one_of(event_type: str, wanted: list[str]) -> bool:
    return any(
        event_type.startswith(pattern[:-1]) if pattern.endswith("*") else event_type == pattern
        for pattern in wanted
    )


OPERATIONS = (
    operation("events.list", "GET /v1/events", list_all, "type types[] delivery_success"),
    operation("events.retrieve", "GET /v1/events/{id}", retrieve),
    *core_events.OPERATIONS,
)
