"""Webhooks: signatures, retries, rotation, and what the control plane can do to them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stripe

from stripe_double.testing import running_double


@pytest.fixture
def endpoint(client: Any, receiver: Any) -> Any:
    return client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})


def verified(received: Any, secret: str) -> Any:
    event = json.loads(received.body)
    assert stripe.WebhookSignature.verify_header(
        received.body.decode(), received.signature, secret, tolerance=60
    )
    return event


def test_every_event_arrives_signed(client: Any, endpoint: Any, receiver: Any) -> None:
    customer = client.v1.customers.create({"email": "a@b.c"})
    (received,) = receiver.wait_for(1)
    event = verified(received, endpoint.secret)
    assert (event["type"], event["data"]["object"]["id"]) == ("customer.created", customer.id)
    assert (event["livemode"], event["pending_webhooks"]) == (False, 1)
    with pytest.raises(stripe.SignatureVerificationError):
        verified(received, "whsec_other")


def test_only_wanted_types_are_sent(client: Any, receiver: Any, double: Any) -> None:
    client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["product.created"]})
    client.v1.customers.create({})
    client.v1.products.create({"name": "Pro"})
    (received,) = receiver.wait_for(1)
    double.wait_for_webhooks()
    assert json.loads(received.body)["type"] == "product.created"
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("answer", [500, 302, 404])
def test_anything_but_2xx_is_retried_with_a_new_signature(
    double: Any, client: Any, endpoint: Any, receiver: Any, answer: int
) -> None:
    receiver.answers = [answer]
    client.v1.customers.create({})
    first, second = receiver.wait_for(2)
    assert first.body == second.body
    for received in (first, second):
        verified(received, endpoint.secret)
    double.wait_for_webhooks()
    outcomes = [(e["outcome"], e["http_status"]) for e in double.ledger("delivery")]
    assert outcomes == [("failed", answer), ("succeeded", 200)]


def test_retries_end_and_the_event_stays_listed_as_undelivered(
    double: Any, client: Any, endpoint: Any, receiver: Any, wait: Any
) -> None:
    receiver.answers = [500, 500, 500]
    client.v1.customers.create({})
    wait(lambda: len(double.ledger("delivery")) == 3)
    (delivery,) = double.call(lambda control: control.deliveries())
    assert (delivery["state"], delivery["attempts"]) == ("failed", 3)
    (event,) = client.v1.events.list({"delivery_success": False}).data
    assert event.pending_webhooks == 1
    assert client.v1.events.list({"delivery_success": True}).data == []
    double.call(lambda control: control.redeliver(event.id))
    receiver.wait_for(4)
    double.wait_for_webhooks()
    (delivered,) = client.v1.events.list({"delivery_success": True}).data
    assert (delivered.id, delivered.pending_webhooks) == (event.id, 0)


def test_a_timeout_is_a_failure(receiver: Any, new_client: Any, wait: Any) -> None:
    receiver.delay_seconds = 0.3
    with running_double(
        webhook_url=receiver.url,
        webhook_secrets="whsec_a",
        webhook_timeout_seconds=0.1,
        webhook_retry_seconds="60",
    ) as double:
        new_client(double).v1.customers.create({})
        wait(lambda: len(double.ledger("delivery")) == 1)
        (attempt,) = double.ledger("delivery")
        assert attempt["error"].startswith("timeout")
        receiver.delay_seconds = 0
        double.call(lambda control: control.advance(61))
        wait(lambda: len(double.ledger("delivery", outcome="succeeded")) == 1)


def test_two_secrets_sign_during_a_rotation(
    double: Any, client: Any, endpoint: Any, receiver: Any
) -> None:
    new = double.call(lambda control: control.rotate_secret(endpoint.id, new_secret="whsec_new"))
    assert new == ["whsec_new", endpoint.secret]
    client.v1.customers.create({})
    (received,) = receiver.wait_for(1)
    assert received.signature.count("v1=") == 2
    for secret in new:
        verified(received, secret)
    double.call(lambda control: control.rotate_secret(endpoint.id))
    client.v1.customers.create({})
    with pytest.raises(stripe.SignatureVerificationError):
        verified(receiver.wait_for(2)[1], endpoint.secret)


def test_webhooks_are_held_shuffled_duplicated_and_released(
    double: Any, client: Any, endpoint: Any, receiver: Any
) -> None:
    double.call(lambda control: control.set_webhook_faults(hold=True, shuffle=True, duplicate=1))
    ids = [client.v1.customers.create({}).id for _ in range(8)]
    assert receiver.requests == []
    double.call(lambda control: control.release_webhooks())
    received = receiver.wait_for(16)
    double.wait_for_webhooks()
    seen = [json.loads(r.body)["data"]["object"]["id"] for r in received]
    assert sorted(seen) == sorted(ids * 2)
    assert list(dict.fromkeys(seen)) != ids
    assert len(double.ledger("delivery", duplicate=True)) == 8


def test_bad_signatures_stale_timestamps_and_drops_happen_on_demand(
    double: Any, client: Any, endpoint: Any, receiver: Any
) -> None:
    double.call(lambda control: control.set_webhook_faults(bad_signature_next=1))
    client.v1.customers.create({})
    with pytest.raises(stripe.SignatureVerificationError):
        verified(receiver.wait_for(1)[0], endpoint.secret)
    double.call(lambda control: control.set_webhook_faults(stale_timestamp_next=1))
    client.v1.customers.create({})
    with pytest.raises(stripe.SignatureVerificationError, match="tolerance"):
        verified(receiver.wait_for(2)[1], endpoint.secret)
    double.call(lambda control: control.set_webhook_faults(drop_next=1))
    client.v1.customers.create({})
    verified(receiver.wait_for(3)[2], endpoint.secret)
    errors = [e["error"] for e in double.ledger("delivery")]
    assert errors.count("dropped by a fault") == 1


def test_any_event_can_be_injected_and_changed(
    double: Any, client: Any, endpoint: Any, receiver: Any
) -> None:
    double.call(
        lambda control: control.set_webhook_faults(overrides={"livemode": True, "api_version": "x"})
    )
    huge = {"id": "obj_1", "object": "thing", "text": "x" * 300_000}
    double.call(lambda control: control.inject_event("unheard.of", huge))
    event = verified(receiver.wait_for(1)[0], endpoint.secret)
    assert (event["type"], event["livemode"], event["api_version"]) == ("unheard.of", True, "x")
    assert len(event["data"]["object"]["text"]) == 300_000


def test_a_webhook_can_arrive_before_the_reply(
    double: Any, client: Any, endpoint: Any, receiver: Any
) -> None:
    double.call(lambda control: control.add_fault("delay_after", delay_ms=250))
    customer = client.v1.customers.create({})
    assert json.loads(receiver.requests[0].body)["data"]["object"]["id"] == customer.id


def test_events_are_listed_by_type_window_and_for_30_days(double: Any, client: Any) -> None:
    client.v1.customers.create({})
    client.v1.products.create({"name": "Pro"})
    events = client.v1.events

    def types(**filters: Any) -> list[str]:
        return [e.type for e in events.list(filters).data]

    assert types() == ["product.created", "customer.created"]
    assert types(types=["customer.created", "invoice.paid"]) == ["customer.created"]
    assert types(type="product.*") == ["product.created"]
    assert types(delivery_success=False) == []
    with pytest.raises(stripe.InvalidRequestError):
        events.list({"types": [f"type.{n}" for n in range(21)]})
    first = events.list().data[-1]
    assert events.retrieve(first.id).data.object.object == "customer"
    double.call(lambda control: control.advance(31 * 86_400))
    assert types() == []
    client.v1.customers.create({})
    assert types(created={"gt": first.created}) == ["customer.created"]


def test_a_reset_forgets_what_is_under_way(
    double: Any, client: Any, endpoint: Any, receiver: Any
) -> None:
    receiver.delay_seconds = 0.2
    client.v1.customers.create({})
    receiver.wait_for(1)
    double.call(lambda control: control.reset(seed="shared"))
    receiver.delay_seconds = 0
    client.v1.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/", "enabled_events": ["customer.created"]}
    )
    client.v1.customers.create({})
    double.wait_for_webhooks()
    assert double.ledger("delivery", outcome="succeeded") == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://[::bad/", "http://x y/"])
def test_an_endpoint_that_cannot_be_reached_does_not_stop_the_others(
    double: Any, client: Any, endpoint: Any, receiver: Any, url: str
) -> None:
    client.v1.webhook_endpoints.create({"url": url, "enabled_events": ["*"]})
    client.v1.customers.create({})
    client.v1.customers.create({})
    receiver.wait_for(2)
    double.wait_for_webhooks()


@pytest.mark.parametrize("way", ["disabled", "deleted"])
def test_an_endpoint_that_is_gone_ends_its_retries(
    double: Any, client: Any, endpoint: Any, receiver: Any, way: str
) -> None:
    double.call(lambda control: control.add_webhook_fault("delay", delay_seconds=600))
    client.v1.customers.create({"name": "A"})
    if way == "disabled":
        client.v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
    else:
        client.v1.webhook_endpoints.delete(endpoint.id)
    double.call(lambda control: control.advance(601))
    double.wait_for_webhooks()
    assert receiver.requests == []
    (delivery,) = double.call(lambda control: control.deliveries())
    assert (delivery["state"], delivery["attempts"]) == ("failed", 0)
    client.v1.customers.create({"name": "B"})
    assert len(double.call(lambda control: control.deliveries())) == 1


def test_several_endpoints_have_types_secrets_and_rotations_of_their_own(
    double: Any, client: Any, receiver: Any
) -> None:
    def add(name: str, *types: str) -> Any:
        return client.v1.webhook_endpoints.create(
            {"url": f"{receiver.url}/{name}", "enabled_events": list(types)}
        )

    every, products = add("every", "*"), add("products", "product.created")
    double.call(lambda control: control.rotate_secret(every.id, new_secret="whsec_new"))
    client.v1.customers.create({})
    client.v1.products.create({"name": "P"})
    received = receiver.wait_for(3)
    by_secret = {
        secret: sum(1 for r in received if fits(r, secret))
        for secret in (every.secret, "whsec_new", products.secret)
    }
    assert by_secret == {every.secret: 2, "whsec_new": 2, products.secret: 1}


def fits(received: Any, secret: str) -> bool:
    try:
        verified(received, secret)
    except stripe.SignatureVerificationError:
        return False
    return True
