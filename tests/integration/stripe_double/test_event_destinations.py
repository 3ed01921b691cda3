"""Event destinations: snapshot and thin events, and the thin form of every event."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import stripe

SECRET = "webhook_endpoint.signing_secret"
URL = "webhook_endpoint.url"


@pytest.fixture
def new_destination(client: Any, receiver: Any) -> Any:
    def create(payload: str, *types: str, **params: Any) -> Any:
        return client.v2.core.event_destinations.create(
            {
                "name": "Mine",
                "type": "webhook_endpoint",
                "event_payload": payload,
                "enabled_events": list(types),
                "webhook_endpoint": {"url": receiver.url},
                "include": [SECRET, URL],
                **params,
            }
        )

    return create


def test_a_thin_event_is_verified_fetched_and_leads_to_its_object(
    client: Any, receiver: Any, new_destination: Any
) -> None:
    destination = new_destination("thin", "v1.customer.created")
    secret = destination.webhook_endpoint.signing_secret
    customer = client.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    (received,) = receiver.wait_for(1)
    assert b'"A"' not in received.body
    notification = client.parse_event_notification(received.body, received.signature, secret)
    assert type(notification).__name__ == "V1CustomerCreatedEventNotification"
    assert notification.related_object.id == customer.id
    event = notification.fetch_event()
    assert event.reason.request.idempotency_key == "k"
    assert notification.fetch_related_object().name == "A"
    snapshot = client.v1.events.retrieve(event.snapshot_event)
    assert (snapshot.type, snapshot.data.object.id) == ("customer.created", customer.id)


def test_a_snapshot_destination_gets_whole_events_in_its_version(
    client: Any, receiver: Any, new_destination: Any
) -> None:
    destination = new_destination(
        "snapshot", "customer.created", snapshot_api_version="2025-03-31.basil"
    )
    client.v1.customers.create({"name": "A"})
    (received,) = receiver.wait_for(1)
    event = client.construct_event(
        received.body, received.signature, destination.webhook_endpoint.signing_secret
    )
    assert (event.api_version, event.data.object.name) == ("2025-03-31.basil", "A")
    assert "customer_account" not in event.data.object


def test_endpoints_and_destinations_are_served_side_by_side(
    double: Any, client: Any, receiver: Any, new_destination: Any
) -> None:
    client.v1.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["customer.created"]}
    )
    new_destination("thin", "*")
    new_destination("snapshot", "product.created")
    new_destination("thin", "customer.created")  # the thin type has another name
    client.v1.customers.create({})
    client.v1.products.create({"name": "P"})
    double.wait_for_webhooks()
    seen = sorted(json.loads(r.body)["type"] for r in receiver.requests)
    assert seen == [
        "customer.created",
        "product.created",
        "v1.customer.created",
        "v1.product.created",
    ]


def test_thin_events_are_listed_by_object_type_and_time(double: Any, client: Any) -> None:
    first = client.v1.customers.create({})
    client.v1.customers.update(first.id, {"name": "B"})
    double.call(lambda control: control.advance(100))
    client.v1.products.create({"name": "P"})
    events = client.v2.core.events

    def types(**params: Any) -> list[str]:
        return [event.type for event in events.list(params).data]

    everything = ["v1.product.created", "v1.customer.updated", "v1.customer.created"]
    assert types() == everything
    assert types(object_id=first.id) == everything[1:]
    assert types(types=["v1.product.created"]) == everything[:1]
    newest = events.list({"limit": 1}).data[0]
    assert types(created={"gte": newest.created}) == everything[:1]
    assert types(created={"lt": newest.created}) == everything[1:]
    paged = [event.type for event in events.list({"limit": 1}).auto_paging_iter()]
    assert paged == everything
    some = events.list({"limit": 1, "types": everything[1:]}).auto_paging_iter()
    assert [event.type for event in some] == everything[1:]
    for wrong in ({"created": {"gt": "soon"}}, {"limit": 0}, {"types": ["t"] * 21}):
        with pytest.raises(stripe.StripeError):
            events.list(wrong)
    double.call(lambda control: control.advance(30 * 86_400 + 10))
    assert types() == []
    with pytest.raises(stripe.StripeError):
        events.retrieve(newest.id)


def test_a_destination_lives_and_shows_its_address_on_request_only(
    client: Any, new_destination: Any
) -> None:
    made = new_destination("thin", "v1.invoice.paid", metadata={"a": "1"})
    destinations = client.v2.core.event_destinations
    assert made.webhook_endpoint.signing_secret.startswith("whsec_")
    shown = destinations.retrieve(made.id)
    assert (shown.webhook_endpoint.url, shown.webhook_endpoint.signing_secret) == (None, None)
    assert destinations.retrieve(made.id, {"include": [URL]}).webhook_endpoint.url is not None
    changed = destinations.update(made.id, {"name": "Other", "metadata": {"a": None, "b": "2"}})
    assert (changed.name, changed.metadata.to_dict()) == ("Other", {"b": "2"})
    assert destinations.disable(made.id).status_details.disabled.reason == "user"
    assert destinations.enable(made.id).status == "enabled"
    assert [d.id for d in destinations.list().data] == [made.id]
    assert destinations.delete(made.id).id == made.id
    assert destinations.list().data == []
    with pytest.raises(stripe.StripeError):
        destinations.retrieve(made.id)


def test_a_disabled_destination_gets_nothing(
    double: Any, client: Any, receiver: Any, new_destination: Any
) -> None:
    destination = new_destination("thin", "*")
    client.v2.core.event_destinations.disable(destination.id)
    client.v1.customers.create({})
    double.wait_for_webhooks()
    assert receiver.requests == []


def test_a_ping_reaches_its_destination_only_and_no_v1_list(
    double: Any, client: Any, receiver: Any, new_destination: Any
) -> None:
    first = new_destination("snapshot", "invoice.paid")
    new_destination("thin", "*")
    event = client.v2.core.event_destinations.ping(first.id)
    assert event.type == "v2.core.event_destination.ping"
    (received,) = receiver.wait_for(1)
    double.wait_for_webhooks()
    assert len(receiver.requests) == 1
    assert json.loads(received.body)["related_object"]["id"] == first.id
    assert client.v1.events.list().data == []
    assert client.v2.core.events.retrieve(event.id).snapshot_event is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "amazon_eventbridge"},
        {"event_payload": "fat"},
        {"enabled_events": []},
        {"webhook_endpoint": {"url": "ftp://x"}},
        {"snapshot_api_version": "2024-06-20"},
        {"event_payload": "thin", "snapshot_api_version": "2026-10-28.endive"},
        {"events_from": ["@accounts"]},
        {"nonsense": "x"},
        {"name": None},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_cannot_be_is_refused(new_destination: Any, wrong: Any) -> None:
    with pytest.raises(stripe.StripeError):
        new_destination("snapshot", "invoice.paid", **wrong)


def test_v2_keys_keep_successes_for_30_days(double: Any, raw: httpx.Client) -> None:
    body = {
        "name": "Mine",
        "type": "webhook_endpoint",
        "event_payload": "thin",
        "enabled_events": ["*"],
        "webhook_endpoint": {"url": "http://x.test/"},
    }

    def post(**changes: Any) -> httpx.Response:
        path = "/v2/core/event_destinations"
        return raw.post(path, json={**body, **changes}, headers={"idempotency-key": "k"})

    assert post(type="amazon_eventbridge").status_code == 501
    double.call(lambda control: control.add_fault("error_saved"))
    assert post().status_code == 500
    first = post().json()["id"]
    double.call(lambda control: control.advance(29 * 86_400))
    assert post().json()["id"] == first
    assert post(name="Other").status_code == 400
    double.call(lambda control: control.advance(86_400))
    assert post().json()["id"] != first
    assert raw.post("/v2/core/event_destinations", content=b"[1]").status_code == 400
    assert raw.post("/v2/core/event_destinations", content=b"{").status_code == 400


def test_a_rotated_secret_of_a_destination_ends_by_itself(
    double: Any, client: Any, receiver: Any, new_destination: Any
) -> None:
    destination = new_destination("thin", "*")
    new, old = double.call(
        lambda control: control.rotate_secret(destination.id, overlap_seconds=3600)
    )
    assert old == destination.webhook_endpoint.signing_secret
    client.v1.customers.create({})
    (received,) = receiver.wait_for(1)
    assert received.signature.count("v1=") == 2
    double.call(lambda control: control.advance(3601))
    client.v1.customers.create({})
    received = receiver.wait_for(2)[1]
    client.parse_event_notification(received.body, received.signature, new)
    with pytest.raises(stripe.SignatureVerificationError):
        client.parse_event_notification(received.body, received.signature, old)
