"""API faults: what each one does to the caller, and what it leaves behind."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
import stripe


def kept_customers(double: Any) -> int:
    return len(double.ledger("effect", object="customer", action="created"))


@pytest.fixture
def plain(double: Any, new_client: Any) -> Any:
    """A client that does not retry by itself."""
    return new_client(double, max_network_retries=0)


@pytest.mark.parametrize(
    ("kind", "error", "status", "executed"),
    [
        ("rate_limit", stripe.RateLimitError, 429, False),
        ("conflict", stripe.APIError, 409, False),
        ("error_before", stripe.APIError, 500, False),
        ("error_saved", stripe.APIError, 500, False),
        ("error_after", stripe.APIError, 500, True),
        ("drop_before", stripe.APIConnectionError, None, False),
        ("drop_after", stripe.APIConnectionError, None, True),
        ("truncate", stripe.APIConnectionError, None, True),
    ],
)
def test_each_fault_happens_once_and_leaves_what_it_says(
    double: Any, plain: Any, kind: str, error: type[Exception], status: int | None, executed: bool
) -> None:
    double.call(lambda control: control.add_fault(kind, operation="customers.create"))
    plain.v1.products.create({"name": "another operation is not hit"})
    with pytest.raises(error) as caught:
        plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert getattr(caught.value, "http_status", None) == status
    assert kept_customers(double) == int(executed)
    (entry,) = double.ledger("request", operation="customers.create")
    assert (entry["executed"], entry["fault"]) == (executed, kind)


@pytest.mark.parametrize(
    ("kind", "sticky"),
    [
        ("rate_limit", False),
        ("conflict", False),
        ("error_before", False),
        ("drop_before", False),
        ("drop_after", False),
        ("truncate", False),
        ("error_saved", True),
        ("error_after", True),
    ],
)
def test_the_same_key_afterwards(double: Any, plain: Any, kind: str, sticky: bool) -> None:
    double.call(lambda control: control.add_fault(kind))
    for attempt in range(2):
        with pytest.raises(stripe.StripeError) if sticky or attempt == 0 else nullcontext():
            plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert kept_customers(double) == (0 if kind == "error_saved" else 1)


def test_the_sdk_retries_a_lost_answer_into_one_customer(double: Any, new_client: Any) -> None:
    double.call(lambda control: control.add_fault("drop_after", times=2))
    client = new_client(double, max_network_retries=2)
    client.v1.customers.create({"name": "A"})
    assert kept_customers(double) == 1
    assert [e["outcome"] for e in double.ledger("request")] == ["executed", "replayed", "replayed"]


def test_a_delayed_request_executes_after_its_caller_gave_up(double: Any, wait: Any) -> None:
    double.call(lambda control: control.add_fault("delay", delay_ms=250))
    headers = {"authorization": f"Bearer {double.api_key}", "idempotency-key": "k"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{double.url}/v1/customers", headers=headers, timeout=0.05)
    assert kept_customers(double) == 0
    wait(lambda: kept_customers(double) == 1)
    again = httpx.post(f"{double.url}/v1/customers", headers=headers)
    assert again.headers["idempotent-replayed"] == "true"


def test_a_delay_is_as_long_as_it_says(double: Any, plain: Any) -> None:
    double.call(lambda control: control.add_fault("delay", delay_ms=120))
    started = time.monotonic()
    plain.v1.customers.create({})
    assert time.monotonic() - started >= 0.12


def test_faults_skip_count_and_match(double: Any, plain: Any) -> None:
    double.call(
        lambda control: control.add_fault(
            "error_before", operation="POST /v1/customers", skip=1, times=2, match={"name": "A"}
        )
    )
    outcomes = []
    for name in ("A", "B", "A", "B", "A", "A"):
        try:
            plain.v1.customers.create({"name": name})
            outcomes.append("ok")
        except stripe.APIError:
            outcomes.append("failed")
    assert outcomes == ["ok", "ok", "failed", "ok", "failed", "ok"]


def test_a_fault_that_does_not_exist_is_refused(double: Any) -> None:
    answer = httpx.post(f"{double.url}/_double/faults", json={"kind": "gremlin"})
    assert answer.status_code == 400
    assert "rate_limit" in answer.json()["error"]["message"]
