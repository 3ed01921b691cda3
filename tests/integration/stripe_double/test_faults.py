"""API faults: what each one does to the caller, and what it leaves behind."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from stripe_double.testing import running_double


def kept_customers(double: Any) -> int:
    return len(double.ledger("effect", object="customer", action="created"))


@pytest.fixture
def plain(double: Any, new_client: Any) -> Any:
    """A client that does not retry by itself."""
    return new_client(double, max_network_retries=0)


@pytest.fixture
def impatient(double: Any) -> Any:
    """A client that gives up after a moment, and does not retry."""
    stripe.enable_telemetry = False
    return stripe.StripeClient(
        double.api_key,
        base_addresses=dict.fromkeys(("api", "files", "connect", "meter_events"), double.url),
        http_client=stripe.RequestsClient(timeout=0.15),
        max_network_retries=0,
    )


# kind, what the SDK raises, HTTP status, whether it ran, what the same key does afterwards
FAULTS = [
    ("rate_limit", stripe.RateLimitError, 429, False, "runs"),
    ("lock_timeout", stripe.RateLimitError, 429, False, "runs"),
    ("conflict", stripe.APIError, 409, False, "runs"),
    ("bad_request", stripe.InvalidRequestError, 400, False, "runs"),
    ("error_before", stripe.APIError, 500, False, "runs"),
    ("decline", stripe.CardError, 402, False, "fails"),
    ("error_saved", stripe.APIError, 500, False, "fails"),
    ("error_after", stripe.APIError, 500, True, "fails"),
    ("drop_before", stripe.APIConnectionError, None, False, "runs"),
    ("drop_after", stripe.APIConnectionError, None, True, "replays"),
    ("reset", stripe.APIConnectionError, None, True, "replays"),
    ("truncate", stripe.APIConnectionError, None, True, "replays"),
    ("malformed", stripe.APIError, 200, True, "replays"),
]


@pytest.mark.parametrize(("kind", "error", "status", "executed", "_then"), FAULTS)
def test_each_fault_happens_once_and_leaves_what_it_says(
    double: Any,
    plain: Any,
    kind: str,
    error: type[Exception],
    status: int | None,
    executed: bool,
    _then: str,
) -> None:
    double.call(lambda control: control.add_fault(kind, operation="customers.create"))
    plain.v1.products.create({"name": "another operation is not hit"})
    with pytest.raises(error) as caught:
        plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert getattr(caught.value, "http_status", None) == status
    assert kept_customers(double) == int(executed)
    (entry,) = double.ledger("request", operation="customers.create")
    assert (entry["executed"], entry["fault"]) == (executed, kind)


@pytest.mark.parametrize(("kind", "error", "_status", "_executed", "then"), FAULTS)
def test_the_same_key_afterwards(
    double: Any,
    plain: Any,
    kind: str,
    error: type[Exception],
    _status: int | None,
    _executed: bool,
    then: str,
) -> None:
    double.call(lambda control: control.add_fault(kind))
    for attempt in range(2):
        with pytest.raises(error) if attempt == 0 or then == "fails" else nullcontext():
            plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    outcomes = [entry["outcome"] for entry in double.ledger("request")]
    assert outcomes[1] == ("executed" if then == "runs" else "replayed")
    nothing_ran = kind in {"error_saved", "decline"}
    assert kept_customers(double) == (0 if nothing_ran else 1)


def test_429s_name_their_reason(double: Any, plain: Any) -> None:
    seen = []
    for kind in ("rate_limit", "lock_timeout"):
        double.call(lambda control, kind=kind: control.add_fault(kind))
        with pytest.raises(stripe.RateLimitError) as caught:
            plain.v1.customers.create({})
        seen.append((caught.value.error.code, caught.value.headers["stripe-rate-limited-reason"]))
    assert seen == [("rate_limit", "global-rate"), ("lock_timeout", "resource-specific")]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_before_and_after_execution(double: Any, plain: Any, status: int) -> None:
    for kind in ("error_before", "error_after"):
        double.call(lambda control, kind=kind: control.add_fault(kind, status=status))
        with pytest.raises(stripe.APIError) as caught:
            plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
        assert caught.value.http_status == status
    assert kept_customers(double) == 1
    with pytest.raises(stripe.APIError) if status == 500 else nullcontext():
        plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})


def test_a_timeout_before_execution_leaves_nothing(
    double: Any, impatient: Any, plain: Any, wait: Any
) -> None:
    double.call(lambda control: control.add_fault("timeout_before"))
    with pytest.raises(stripe.APIConnectionError, match="imed out"):
        impatient.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    wait(lambda: len(double.ledger("request", outcome="dropped_before_execution")) == 1)
    assert kept_customers(double) == 0
    plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert kept_customers(double) == 1


def test_a_timeout_after_commit_is_an_unknown_outcome_that_the_key_resolves(
    double: Any, impatient: Any, plain: Any
) -> None:
    double.call(lambda control: control.add_fault("timeout_after"))
    with pytest.raises(stripe.APIConnectionError, match="imed out"):
        impatient.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert kept_customers(double) == 1
    again = plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert double.ledger("effect", object="customer")[0]["id"] == again.id
    assert kept_customers(double) == 1


def test_late_execution_holds_the_key_until_virtual_time_has_passed(
    double: Any, impatient: Any, plain: Any, wait: Any
) -> None:
    double.call(lambda control: control.add_fault("late_execution", delay_seconds=3600))
    with pytest.raises(stripe.APIConnectionError):
        impatient.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    with pytest.raises(stripe.APIError) as caught:
        plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert caught.value.http_status == 409
    double.call(lambda control: control.advance(3590))
    assert kept_customers(double) == 0
    # The wait began when the double saw that the caller was gone, after the 409 at the latest.
    double.call(lambda control: control.advance(30))
    wait(lambda: kept_customers(double) == 1)
    plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert kept_customers(double) == 1


def test_a_request_that_arrives_late_finds_the_world_as_it_is_then(
    double: Any, impatient: Any, plain: Any, wait: Any
) -> None:
    double.call(lambda control: control.add_fault("late_arrival", times=2, delay_seconds=60))
    for key in ("k", "other"):
        with pytest.raises(stripe.APIConnectionError):
            impatient.v1.customers.create({"name": "A"}, {"idempotency_key": key})
    recovered = plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    double.call(lambda control: control.advance(90))
    wait(lambda: len(double.ledger("request")) == 3)
    assert kept_customers(double) == 2
    made = {e["idempotency_key"]: e["outcome"] for e in double.ledger("request")[1:]}
    assert made == {"k": "replayed", "other": "executed"}
    assert plain.v1.customers.retrieve(recovered.id).name == "A"


def test_a_slow_drip_outlasts_a_timeout_per_read(double: Any, impatient: Any) -> None:
    double.call(lambda control: control.add_fault("slow_drip", delay_ms=400))
    started = time.monotonic()
    customer = impatient.v1.customers.create({"name": "A"})
    assert customer.name == "A"
    assert time.monotonic() - started >= 0.35


def test_a_reset_is_seen_as_one(double: Any, raw: httpx.Client) -> None:
    double.call(lambda control: control.add_fault("reset"))
    with pytest.raises(httpx.ReadError):
        raw.post("/v1/customers")
    double.call(lambda control: control.add_fault("truncate"))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        raw.post("/v1/customers")


@pytest.mark.parametrize("kind", ["reset", "truncate", "malformed"])
@pytest.mark.parametrize("percent", [0, 1, 99, 100])
def test_a_body_is_cut_anywhere_and_never_taken_for_whole(
    double: Any, plain: Any, kind: str, percent: int
) -> None:
    double.call(lambda control: control.add_fault(kind, cut_percent=percent))
    with pytest.raises(stripe.StripeError):
        plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"}).name == "A"
    assert kept_customers(double) == 1


def test_the_way_to_stripe_fails_for_kept_answers_too(double: Any, plain: Any) -> None:
    first = plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    for kind in ("error_before", "drop_before", "drop_after", "truncate"):
        double.call(lambda control, kind=kind: control.add_fault(kind))
        with pytest.raises(stripe.StripeError):
            plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert plain.v1.customers.create({"name": "A"}, {"idempotency_key": "k"}).id == first.id


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
    for wrong in (
        {"times": 0},
        {"status": 200},
        {"cut_percent": 101},
        {"delay_seconds": 31 * 86_400},
        {"tines": 1},
    ):
        answer = httpx.post(f"{double.url}/_double/faults", json={"kind": "delay", **wrong})
        assert answer.status_code == 400, wrong


def hit(double: Any, plain: Any, requests: int) -> list[str | None]:
    for number in range(requests):
        try:
            plain.v1.customers.create({"name": str(number)})
        except stripe.StripeError:
            continue
    return [entry["fault"] for entry in double.ledger("request")]


def test_faults_by_chance_are_the_seed_s(double: Any, plain: Any) -> None:
    chances = {"rate_limit": 0.2, "error_before": 0.2, "drop_after": 0.2}
    runs = []
    for seed in ("one", "one", "two"):
        double.call(lambda control, seed=seed: control.reset(seed=seed))
        double.call(lambda control: control.mix_faults(chances, operation="customers.create"))
        runs.append(hit(double, plain, 40))
    assert runs[0] == runs[1] != runs[2]
    assert set(runs[0]) == {None, "rate_limit", "error_before", "drop_after"}
    double.call(lambda control: control.mix_faults({}))
    assert hit(double, plain, 5)[-5:] == [None] * 5


def test_faults_outlive_a_restart(tmp_path: Path, new_client: Any) -> None:
    with running_double(data_dir=tmp_path, seed="s") as double:
        double.call(lambda control: control.add_fault("rate_limit", times=2, skip=1))
        double.call(lambda control: control.add_webhook_fault("lose", event_type="plan.*"))
        double.call(lambda control: control.set_webhook_faults(hold=True, duplicate=2))
        double.call(lambda control: control.mix_faults({"conflict": 1.0}, operation="x"))
        client = new_client(double, max_network_retries=0)
        client.v1.customers.create({})
        with pytest.raises(stripe.RateLimitError):
            client.v1.customers.create({})
        before = httpx.get(f"{double.url}/_double/faults").json()
    with running_double(data_dir=tmp_path) as double:
        assert httpx.get(f"{double.url}/_double/faults").json() == before
        assert before["api"][0]["times"] == 1
        client = new_client(double, max_network_retries=0)
        with pytest.raises(stripe.RateLimitError):
            client.v1.customers.create({})
        client.v1.customers.create({})


def test_objects_change_from_the_dashboard_without_a_request(double: Any, shop: Any) -> None:
    shop.bought()
    (subscription,) = shop.client.v1.subscriptions.list().data
    double.call(lambda control: control.end_subscription(subscription.id))
    event = shop.client.v1.events.list({"type": "customer.subscription.deleted"}).data[0]
    assert (event.request.id, event.request.idempotency_key) == (None, None)


def test_two_callers_meet_different_faults(double: Any, new_client: Any) -> None:
    """A hanging request keeps nobody else waiting."""
    double.call(lambda control: control.add_fault("delay", match={"name": "slow"}, delay_ms=400))
    slow = threading.Thread(target=new_client(double).v1.customers.create, args=({"name": "slow"},))
    slow.start()
    started = time.monotonic()
    new_client(double).v1.customers.create({"name": "fast"})
    assert time.monotonic() - started < 0.35
    slow.join()
