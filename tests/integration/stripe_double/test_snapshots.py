"""Snapshots of the whole world: kept in memory and as files, put back, and what stays out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from stripe_double.testing import running_double


@pytest.fixture
def control(double: Any) -> Any:
    with httpx.Client(base_url=f"{double.url}/_double", trust_env=False) as client:
        yield client


def test_a_world_is_put_back_with_keys_faults_and_ledger(
    control: httpx.Client, double: Any, client: Any, new_client: Any
) -> None:
    made = client.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    control.post("/faults", json={"kind": "rate_limit", "operation": "products.create"})
    assert control.post("/snapshots", json={"name": "one"}).json()["name"] == "one"
    ledger = double.ledger()
    control.delete("/faults")
    client.v1.customers.create({"name": "B"})
    client.v1.customers.delete(made.id)
    assert control.post("/snapshots/one/restore").json() == {"ok": True}
    assert double.ledger() == ledger
    assert [c.name for c in client.v1.customers.list().data] == ["A"]
    assert client.v1.customers.create({"name": "A"}, {"idempotency_key": "k"}).id == made.id
    with pytest.raises(stripe.RateLimitError):
        new_client(double).v1.products.create({"name": "P"})
    assert control.get("/snapshots").json() == {"snapshots": ["one"]}
    control.delete("/snapshots/one")
    assert control.post("/snapshots/one/restore").status_code == 404


def test_webhooks_and_deadlines_go_on_from_where_they_were(
    control: httpx.Client, double: Any, shop: Any, receiver: Any
) -> None:
    shop.client.v1.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["checkout.session.expired"]}
    )
    session = shop.session()
    control.post("/snapshots", json={"name": "open"})
    for round_number in (1, 2):
        control.post("/clock/advance", json={"seconds": 90_000})
        assert shop.client.v1.checkout.sessions.retrieve(session.id).status == "expired"
        receiver.wait_for(round_number)
        control.post("/snapshots/open/restore")
        assert shop.client.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_what_was_under_way_belongs_to_the_world_that_is_gone(
    control: httpx.Client, double: Any, client: Any, receiver: Any
) -> None:
    client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    control.post("/snapshots", json={"name": "empty"})
    receiver.delay_seconds = 0.2
    client.v1.customers.create({})
    receiver.wait_for(1)
    control.post("/snapshots/empty/restore")
    double.wait_for_webhooks()
    assert double.ledger("delivery") == []


def test_snapshots_outlive_the_process_with_a_data_directory(
    tmp_path: Path, new_client: Any
) -> None:
    with running_double(data_dir=tmp_path, seed="s") as double:
        new_client(double).v1.customers.create({"name": "A"})
        double.call(lambda control: control.take_snapshot("one"))
        new_client(double).v1.customers.create({"name": "B"})
    with running_double(data_dir=tmp_path) as double:
        double.call(lambda control: control.restore_snapshot("one"))
        assert [c.name for c in new_client(double).v1.customers.list().data] == ["A"]
    with running_double(data_dir=tmp_path) as double:  # what was put back is durable
        assert [c.name for c in new_client(double).v1.customers.list().data] == ["A"]
        new_client(double).v1.customers.create({"name": "C"})


def test_a_world_moves_to_another_double(control: httpx.Client, client: Any) -> None:
    client.v1.customers.create({"name": "A"})
    content = control.get("/world").content
    with running_double() as other, httpx.Client(base_url=f"{other.url}/_double") as theirs:
        theirs.put("/world", content=content).raise_for_status()
        assert theirs.get("/ledger").content == control.get("/ledger").content
        assert theirs.get("/health").json()["seed"] == "shared"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format":"x"}', b"\xff"])
def test_what_is_no_world_is_refused(control: httpx.Client, content: bytes) -> None:
    assert control.put("/world", content=content).status_code == 400


@pytest.mark.parametrize(
    ("member", "value"),
    [
        *((name, None) for name in ("seed", "now", "counters", "objects", "ledger", "faults")),
        ("objects", [["customer", "cus_1", 1]]),
        ("objects", [["customer", "cus_1", 1, {"id": "cus_2"}]]),
        ("ledger", ["x"]),
        ("counters", {"customer": "1"}),
        ("counters", []),
        ("objects", {}),
        ("faults", {"api": {"faults": [{"kind": "gremlin"}], "mix": {}}}),
    ],
)
def test_a_world_that_is_not_whole_changes_nothing(
    control: httpx.Client, client: Any, member: str, value: Any
) -> None:
    client.v1.customers.create({"name": "A"})
    document = control.get("/world").json()
    if value is None:
        del document[member]
    else:
        document[member] = value
    assert control.put("/world", json=document).status_code == 400
    assert [c.name for c in client.v1.customers.list().data] == ["A"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 65, "a.b"])
def test_names_are_plain(control: httpx.Client, name: str) -> None:
    assert control.post("/snapshots", json={"name": name}).status_code == 400


def test_the_dashboard_can_do_what_the_api_can(control: httpx.Client, shop: Any) -> None:
    shop.bought()
    subscription = shop.client.v1.subscriptions.list().data[0].id
    done = control.post(
        "/act",
        json={
            "operation": "subscriptions.update",
            "object_id": subscription,
            "params": {"cancel_at_period_end": True, "metadata": {"by": "support"}},
        },
    ).json()
    assert (done["cancel_at_period_end"], done["metadata"]["by"]) == (True, "support")
    event = shop.client.v1.events.list({"type": "customer.subscription.updated"}).data[0]
    assert (event.request.id, event.request.idempotency_key) == (None, None)
    for wrong in (
        {"operation": "gremlins.create"},
        {"operation": "customers.create", "params": {"nonsense": 1}},
        {"operation": "customers.update", "object_id": "cus_none"},
    ):
        assert control.post("/act", json=wrong).status_code in {400, 404}
