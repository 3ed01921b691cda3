"""The double's own rate limits, and events that lists show late."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from stripe_double.testing import running_double

FROZEN = {"clock_start_seconds": 1_900_000_000, "clock_ticking": False}


def refused(action: Any) -> str | None:
    """Why an action was refused with 429, if it was."""
    try:
        action()
    except stripe.RateLimitError as error:
        return str(error.headers["stripe-rate-limited-reason"])
    return None


def test_so_many_in_a_second_then_429_until_the_next(new_client: Any) -> None:
    settings = {"rate_limit_write_per_second": 3, "rate_limit_read_per_second": 2}
    with running_double(**FROZEN, **settings, rate_limit_clock="virtual") as double:
        customers = new_client(double, max_network_retries=2).v1.customers
        writes = [refused(lambda: customers.create({})) for _ in range(5)]
        assert writes == [None] * 3 + ["global-rate"] * 2
        assert [refused(customers.list) for _ in range(3)] == [None, None, "global-rate"]
        double.call(lambda control: control.advance(1))
        assert refused(lambda: customers.create({})) is None
        assert len(double.ledger("effect", object="customer", action="created")) == 4


def test_each_operation_has_its_own_limit(new_client: Any) -> None:
    settings = {"rate_limit_endpoint_per_second": 2, "rate_limit_clock": "virtual"}
    with running_double(**FROZEN, **settings) as double:
        v1 = new_client(double).v1
        one = [refused(lambda: v1.customers.create({})) for _ in range(3)]
        other = [refused(lambda: v1.products.create({"name": "P"})) for _ in range(3)]
        assert one == other == [None, None, "endpoint-rate"]


def test_a_429_leaves_its_key_unused(new_client: Any) -> None:
    settings = {"rate_limit_write_per_second": 1, "rate_limit_clock": "virtual"}
    with running_double(**FROZEN, **settings) as double:
        customers = new_client(double).v1.customers
        customers.create({"name": "A"}, {"idempotency_key": "a"})
        assert refused(lambda: customers.create({"name": "B"}, {"idempotency_key": "b"}))
        assert refused(lambda: customers.create({"name": "A"}, {"idempotency_key": "a"}))
        double.call(lambda control: control.advance(2))
        customers.create({"name": "other"}, {"idempotency_key": "b"})


def test_limits_are_off_by_default_and_set_while_it_runs(double: Any, client: Any) -> None:
    assert [refused(lambda: client.v1.customers.create({})) for _ in range(30)] == [None] * 30
    with httpx.Client(base_url=f"{double.url}/_double", trust_env=False) as control:
        control.post("/rate_limits", json={"write_per_second": 1}).raise_for_status()
        seen = [refused(lambda: client.v1.customers.create({})) for _ in range(3)]
        assert "global-rate" in seen
        assert control.post("/rate_limits", json={"write_per_second": 0}).status_code == 400
        control.post("/rate_limits", json={}).raise_for_status()
    assert [refused(lambda: client.v1.customers.create({})) for _ in range(5)] == [None] * 5


def test_events_appear_in_lists_late_and_by_id_at_once(new_client: Any, receiver: Any) -> None:
    with running_double(**FROZEN, event_list_lag_seconds=10) as double:
        client = new_client(double)
        client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
        client.v1.customers.create({})
        receiver.wait_for(1)
        assert client.v1.events.list().data == []
        (event,) = double.call(lambda control: control.objects("event"))
        assert client.v1.events.retrieve(event["id"]).type == "customer.created"
        double.call(lambda control: control.advance(9))
        assert client.v1.events.list().data == []
        double.call(lambda control: control.advance(1))
        assert [e.id for e in client.v1.events.list().data] == [event["id"]]
        double.call(lambda control: control.set_event_list_lag(0))
        client.v1.products.create({"name": "P"})
        assert len(client.v1.events.list().data) == 2


def test_wrong_limits_stop_the_start() -> None:
    with (
        pytest.raises(ValueError, match="rate_limit_read_per_second"),
        running_double(rate_limit_read_per_second=0),
    ):
        pass
