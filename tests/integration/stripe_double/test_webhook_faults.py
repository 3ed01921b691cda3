"""Webhook faults of single deliveries: what the endpoint sees, and what the double remembers."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import stripe

from stripe_double.engine.errors import ApiError
from stripe_double.testing import running_double

DAY = 86_400


@pytest.fixture
def endpoint(client: Any, receiver: Any) -> Any:
    return client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})


@pytest.fixture
def spoil(double: Any) -> Any:
    def add(kind: str, **details: Any) -> None:
        double.call(lambda control: control.add_webhook_fault(kind, **details))

    return add


def names(receiver: Any) -> list[str]:
    return [json.loads(r.body)["data"]["object"]["name"] for r in receiver.requests]


def create(client: Any, *customers: str) -> None:
    for name in customers:
        client.v1.customers.create({"name": name})


def test_a_dropped_attempt_is_retried(
    double: Any, client: Any, endpoint: Any, receiver: Any, spoil: Any
) -> None:
    spoil("drop", event_type="customer.created", skip=1)
    create(client, "A", "B")
    receiver.wait_for(2)
    double.wait_for_webhooks()
    assert sorted(names(receiver)) == ["A", "B"]
    told = double.ledger("delivery", fault="drop")
    assert [(entry["attempt"], entry["outcome"]) for entry in told] == [
        (0, "spoiled"),
        (1, "failed"),
    ]
    assert [e["error"] for e in double.ledger("delivery", outcome="failed")] == [
        "dropped by a fault"
    ]


def test_a_lost_delivery_never_comes_but_is_listed(
    double: Any, client: Any, endpoint: Any, receiver: Any, spoil: Any
) -> None:
    spoil("lose", times=2)
    create(client, "A", "B", "C")
    receiver.wait_for(1)
    double.call(lambda control: control.advance(5 * DAY))
    double.wait_for_webhooks()
    assert names(receiver) == ["C"]
    missed = client.v1.events.list({"delivery_success": False}).data
    assert [event.data.object.name for event in missed] == ["B", "A"]
    assert [d["state"] for d in double.call(lambda c: c.deliveries())] == [
        "lost",
        "lost",
        "succeeded",
    ]


def test_a_duplicate_is_the_same_event(
    double: Any, client: Any, endpoint: Any, receiver: Any, spoil: Any
) -> None:
    spoil("duplicate", copies=2)
    create(client, "A", "B")
    receiver.wait_for(4)
    double.wait_for_webhooks()
    ids = [json.loads(r.body)["id"] for r in receiver.requests]
    assert sorted(names(receiver)) == ["A", "A", "A", "B"]
    assert len(set(ids)) == 2
    assert len(double.ledger("delivery", duplicate=True)) == 2


def test_a_delivery_is_delayed_up_to_30_virtual_days(
    double: Any, client: Any, endpoint: Any, receiver: Any, spoil: Any
) -> None:
    spoil("delay", delay_seconds=30 * DAY)
    create(client, "A", "B")
    receiver.wait_for(1)
    double.call(lambda control: control.advance(30 * DAY - 60))
    double.wait_for_webhooks()
    assert names(receiver) == ["B"]
    double.call(lambda control: control.advance(61))
    receiver.wait_for(2)
    assert names(receiver) == ["B", "A"]
    with pytest.raises(ApiError, match="30 days"):
        spoil("delay", delay_seconds=31 * DAY)


def test_a_delivery_lets_later_ones_go_first(
    double: Any, client: Any, endpoint: Any, receiver: Any, spoil: Any
) -> None:
    spoil("reorder", places=2)
    create(client, "A")
    double.wait_for_webhooks()
    assert receiver.requests == []
    create(client, "B", "C")
    receiver.wait_for(3)
    assert names(receiver)[-1] == "A", "two later ones, in whatever order, went before it"
    double.call(lambda control: control.advance(120))
    double.wait_for_webhooks()
    assert len(receiver.requests) == 3


def test_a_delivery_that_nothing_follows_goes_in_the_end(
    double: Any, client: Any, endpoint: Any, receiver: Any, spoil: Any
) -> None:
    spoil("reorder", places=2, delay_seconds=100)
    create(client, "A")
    double.call(lambda control: control.advance(101))
    receiver.wait_for(1)
    assert names(receiver) == ["A"]


def test_a_webhook_arrives_before_the_answer_to_its_request(
    double: Any, client: Any, endpoint: Any, receiver: Any, spoil: Any
) -> None:
    receiver.delay_seconds = 0.1
    spoil("before_reply")
    create(client, "A")
    assert names(receiver) == ["A"]
    assert len(double.ledger("delivery", outcome="succeeded")) == 1
    double.call(lambda control: control.add_fault("reply_after_webhooks"))
    create(client, "B")
    assert names(receiver) == ["A", "B"]
    assert len(double.ledger("delivery", outcome="succeeded")) == 2


def test_an_answer_does_not_wait_for_webhooks_that_are_held(
    double: Any, client: Any, endpoint: Any, receiver: Any, spoil: Any
) -> None:
    double.call(lambda control: control.set_webhook_faults(hold=True))
    spoil("before_reply")
    create(client, "A")
    assert receiver.requests == []


@pytest.mark.parametrize("kind", ["bad_signature", "stale_timestamp"])
def test_a_signature_does_not_hold(
    client: Any, endpoint: Any, receiver: Any, spoil: Any, kind: str
) -> None:
    spoil(kind)
    create(client, "A", "B")
    receiver.wait_for(2)
    refused = 0
    for received in receiver.requests:
        try:
            stripe.WebhookSignature.verify_header(
                received.body.decode(), received.signature, endpoint.secret, tolerance=300
            )
        except stripe.SignatureVerificationError:
            refused += 1
    assert refused == 1


def test_a_payload_is_huge_and_a_type_unknown(
    client: Any, endpoint: Any, receiver: Any, spoil: Any
) -> None:
    spoil("huge_payload", size_bytes=200_000)
    spoil("unknown_type")
    create(client, "A", "B", "C")
    receiver.wait_for(3)
    by_name = {json.loads(r.body)["data"]["object"]["name"]: r for r in receiver.requests}
    for received in receiver.requests:
        event = stripe.Webhook.construct_event(received.body, received.signature, endpoint.secret)
        assert event.object == "event"
    assert [len(by_name[name].body) > 200_000 for name in "ABC"] == [True, False, False]
    types = [json.loads(by_name[name].body)["type"] for name in "ABC"]
    assert types == ["customer.created", "unheard.of.by_this_version", "customer.created"]


def test_a_fault_is_for_one_endpoint(
    double: Any, client: Any, endpoint: Any, receiver: Any, spoil: Any
) -> None:
    other = client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    spoil("lose", endpoint=other.id)
    create(client, "A")
    receiver.wait_for(1)
    double.wait_for_webhooks()
    states = {d["endpoint"]: d["state"] for d in double.call(lambda c: c.deliveries())}
    assert states == {endpoint.id: "succeeded", other.id: "lost"}


def test_faults_by_chance_spoil_the_same_deliveries_for_the_same_seed(
    double: Any, new_client: Any
) -> None:
    def run(seed: str) -> list[str]:
        double.call(lambda control: control.reset(seed=seed))
        double.call(lambda control: control.set_webhook_faults(hold=True))
        chances = {"lose": 0.2, "delay": 0.2, "duplicate": 0.2}
        double.call(lambda control: control.mix_webhook_faults(chances, delay_seconds=9))
        client = new_client(double)
        client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
        create(client, *(str(n) for n in range(30)))
        deliveries = double.call(lambda control: control.deliveries())
        return [(d.get("fault") or {"kind": ""})["kind"] for d in deliveries]

    first = run("one")
    assert first == run("one") != run("two")
    assert set(first) == {"", "lose", "delay", "duplicate"}


def test_a_delay_goes_on_after_a_restart(receiver: Any, new_client: Any, tmp_path: Any) -> None:
    settings = {
        "data_dir": tmp_path,
        "webhook_url": receiver.url,
        "webhook_secrets": "whsec_a",
    }
    with running_double(**settings) as double:
        double.call(lambda c: c.add_webhook_fault("delay", delay_seconds=DAY))
        double.call(lambda c: c.add_webhook_fault("reorder", places=1, delay_seconds=DAY))
        create(new_client(double), "A", "B")
    with running_double(**settings) as double:
        create(new_client(double), "C")
        receiver.wait_for(2)
        assert names(receiver) == ["C", "B"]
        double.call(lambda control: control.advance(DAY))
        receiver.wait_for(3)
        double.wait_for_webhooks()
    assert names(receiver) == ["C", "B", "A"]


def test_they_are_scripted_over_http(double: Any) -> None:
    with httpx.Client(base_url=f"{double.url}/_double", trust_env=False) as control:
        made = control.post("/webhooks/faults/scripted", json={"kind": "lose", "times": 2}).json()
        assert (made["kind"], made["times"]) == ("lose", 2)
        control.post("/webhooks/faults/mix", json={"chances": {"drop": 0.5}, "skip": 0})
        control.post("/faults/mix", json={"chances": {"delay": 0.5}, "delay_ms": 5})
        state = control.get("/faults").json()
        assert state["webhooks_scripted"][0]["kind"] == "lose"
        assert state["webhooks_mix"]["chances"] == {"drop": 0.5}
        assert state["api_mix"] == {"chances": {"delay": 0.5}, "delay_ms": 5}
        control.delete("/webhooks/faults/scripted")
        control.delete("/faults")
        state = control.get("/faults").json()
        assert (state["webhooks_scripted"], state["webhooks_mix"], state["api_mix"]) == ([], {}, {})
        wrong = control.post("/webhooks/faults/scripted", json={"kind": "gremlin"})
        assert wrong.status_code == 400
        assert "reorder" in wrong.json()["error"]["message"]
