"""The same seed and the same requests make the same world, byte for byte, whatever goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from stripe_double.testing import InProcessDouble, in_process_double

DAY = 86_400
API_CHANCES = {
    "rate_limit": 0.08,
    "conflict": 0.05,
    "error_before": 0.08,
    "error_after": 0.05,
    "drop_after": 0.08,
    "timeout_after": 0.05,
    "truncate": 0.05,
    "late_arrival": 0.05,
}
WEBHOOK_CHANCES = {"drop": 0.1, "lose": 0.1, "duplicate": 0.1, "delay": 0.1, "reorder": 0.1}


class MoodyEndpoint:
    """Refuses every third webhook; remembers what it took."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(json.loads(request.content)["id"])
        return httpx.Response(500 if len(self.seen) % 3 == 0 else 200)


def sdk(double: InProcessDouble) -> stripe.StripeClient:
    stripe.enable_telemetry = False
    return stripe.StripeClient(
        double.api_key,
        http_client=double.http_client(stripe.HTTPXClient(allow_sync_methods=True)),
        max_network_retries=0,
    )


def settings(seed: str, **more: Any) -> dict[str, Any]:
    return {
        "seed": seed,
        "webhook_url": "http://shop.test/webhooks",
        "webhook_secrets": "whsec_a",
        "webhook_retry_seconds": "60,3600",
        **more,
    }


def insist(action: Any) -> Any:
    """As a careful caller would: the same key until there is an answer, a few times."""
    for _ in range(4):
        try:
            return action()
        except stripe.StripeError:
            continue
    return None


def buy(double: InProcessDouble, client: stripe.StripeClient, number: int, price: str) -> None:
    key = f"{number}"
    customer = insist(
        lambda: client.v1.customers.create(
            {"email": f"{key}@shop.test"}, {"idempotency_key": f"customer-{key}"}
        )
    )
    if customer is None:
        return
    session = insist(
        lambda: client.v1.checkout.sessions.create(
            {
                "mode": "subscription",
                "customer": customer.id,
                "line_items": [{"price": price, "quantity": 1}],
                "success_url": "http://shop.test/ok",
            },
            {"idempotency_key": f"session-{key}"},
        )
    )
    if session is not None and number % 3:
        double.control.pay(session.id)


def first_half(double: InProcessDouble) -> str:
    double.control.mix_faults(API_CHANCES)
    double.control.mix_webhook_faults(WEBHOOK_CHANCES, delay_seconds=2 * DAY)
    price = str(double.control.seed_catalog()["price"]["id"])
    for number in range(8):
        buy(double, sdk(double), number, price)
        double.settle()
    return price


def second_half(double: InProcessDouble, price: str) -> None:
    double.control.set_webhook_faults(shuffle=True, hold=True)
    for number in range(8, 14):
        buy(double, sdk(double), number, price)
    double.control.set_webhook_faults(hold=False)
    double.settle()
    for _ in range(20):
        double.control.advance(2 * DAY)
        double.settle()


def whole_run(seed: str) -> tuple[bytes, list[str]]:
    endpoint = MoodyEndpoint()
    with in_process_double(endpoint, **settings(seed)) as double:
        second_half(double, first_half(double))
        return double.control.export(), endpoint.seen


def test_two_runs_make_the_same_world_byte_for_byte() -> None:
    world, seen = whole_run("one")
    assert (world, seen) == whole_run("one")
    entries = json.loads(world)["ledger"]
    spoiled = {entry["fault"] for entry in entries if entry["kind"] == "request"}
    assert len(spoiled & set(API_CHANCES)) >= 5
    renewed = [e for e in entries if e["kind"] == "charge" and e["outcome"] == "succeeded"]
    assert len(renewed) > 10
    assert len([e for e in entries if e["kind"] == "delivery"]) > 50


def test_another_seed_makes_another_world() -> None:
    assert whole_run("one")[0] != whole_run("two")[0]


@pytest.mark.parametrize("way", ["snapshot", "file", "restart"])
def test_a_run_that_is_stopped_half_way_ends_the_same(tmp_path: Path, way: str) -> None:
    whole, _ = whole_run("one")
    endpoint = MoodyEndpoint()
    data = {"data_dir": tmp_path} if way == "restart" else {}
    with in_process_double(endpoint, **settings("one", **data)) as double:
        price = first_half(double)
        half = double.control.export()
        seen = len(endpoint.seen)
        if way == "snapshot":
            double.control.take_snapshot("half")
            second_half(double, price)
            assert double.control.export() == whole
            double.control.restore_snapshot("half")
            assert double.control.export() == half
            endpoint.seen = endpoint.seen[:seen]
            second_half(double, price)
            assert double.control.export() == whole
            return
    with in_process_double(endpoint, **settings("another" if way == "file" else "one", **data)) as (
        double
    ):
        if way == "file":
            double.control.put_back(half)
        assert double.control.export() == half
        second_half(double, price)
        assert double.control.export() == whole
