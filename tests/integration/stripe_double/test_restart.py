"""What outlives the process, and that the same seed makes the same world."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from stripe_double.testing import TEST_API_KEY, running_double

AUTHORIZED = {"authorization": f"Bearer {TEST_API_KEY}"}


@contextmanager
def served(data_dir: Path, *options: str) -> Iterator[Any]:
    environment = {**os.environ, "STRIPE_DOUBLE_API_KEYS": TEST_API_KEY}
    command = [sys.executable, "-m", "stripe_double", "--port", "0", "--data-dir", str(data_dir)]
    with subprocess.Popen(
        [*command, *options], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            url = json.loads(process.stderr.readline())["url"]
            yield SimpleNamespace(process=process, url=url)
        finally:
            process.kill()


def test_a_killed_double_keeps_what_it_answered(tmp_path: Path) -> None:
    with served(tmp_path) as double:
        customer = httpx.post(
            f"{double.url}/v1/customers",
            headers={**AUTHORIZED, "idempotency-key": "k"},
            data={"email": "a@b.c"},
        ).json()
        double.process.send_signal(signal.SIGKILL)
        double.process.wait(5)
    with served(tmp_path, "--control") as double:
        found = httpx.get(f"{double.url}/v1/customers/{customer['id']}", headers=AUTHORIZED)
        assert found.json() == customer
        new = httpx.post(f"{double.url}/v1/customers", headers=AUTHORIZED).json()
        assert new["id"] != customer["id"]
        entries = httpx.get(f"{double.url}/_double/ledger").json()["entries"]
        assert [e["seq"] for e in entries] == list(range(1, len(entries) + 1))
        assert len([e for e in entries if e.get("action") in {"created", "emitted"}]) == 4


def test_every_kept_result_survives_kill_9(tmp_path: Path) -> None:
    """A success, a declined card, a state's refusal and a saved 500 are answered as before."""

    def posts(url: str, session: str) -> list[tuple[int, bytes]]:
        answers = []
        for path, data in (
            ("/v1/customers", {"name": "A"}),
            (f"/v1/payment_pages/{session}/confirm", {"payment_method": "pm_card_chargeDeclined"}),
            (f"/v1/checkout/sessions/{session}/expire", {}),
            (f"/v1/checkout/sessions/{session}/expire", {"expand[]": "line_items"}),
            ("/v1/products", {"name": "P"}),
        ):
            headers = {**AUTHORIZED, "idempotency-key": f"{path} {sorted(data)}"}
            answer = httpx.post(f"{url}{path}", data=data, headers=headers)
            answers.append((answer.status_code, answer.content))
        return answers

    with served(tmp_path, "--control") as double:
        price = httpx.post(f"{double.url}/_double/seed").json()["price"]["id"]
        terms = {
            "mode": "subscription",
            "success_url": "http://shop.test/",
            "customer_email": "a@b.c",
            "line_items[0][price]": price,
            "line_items[0][quantity]": "1",
        }
        session = httpx.post(
            f"{double.url}/v1/checkout/sessions", headers=AUTHORIZED, data=terms
        ).json()["id"]
        saved = {"kind": "error_saved", "operation": "products.create"}
        httpx.post(f"{double.url}/_double/faults", json=saved)
        first = posts(double.url, session)
        assert posts(double.url, session) == first
        double.process.send_signal(signal.SIGKILL)
        double.process.wait(5)
    with served(tmp_path) as double:
        assert posts(double.url, session) == first
        again = httpx.post(
            f"{double.url}/v1/customers",
            headers={**AUTHORIZED, "idempotency-key": "/v1/customers ['name']"},
            data={"name": "B"},
        )
        assert again.json()["error"]["type"] == "idempotency_error"
    assert [status for status, _ in first] == [200, 402, 200, 400, 500]


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    with served(tmp_path) as double:
        double.process.send_signal(signal.SIGTERM)
        assert double.process.wait(8) == 0


def test_two_processes_do_not_share_a_world(tmp_path: Path) -> None:
    with served(tmp_path):
        second = subprocess.run(
            [sys.executable, "-m", "stripe_double", "--port", "0", "--data-dir", str(tmp_path)],
            env={**os.environ, "STRIPE_DOUBLE_API_KEYS": TEST_API_KEY},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert second.returncode == 2
    assert "double.cannot_open_data" in second.stderr


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "STRIPE_DOUBLE_API_KEYS"),
        ({"STRIPE_DOUBLE_API_KEYS": "sk_live_0123456789"}, "STRIPE_DOUBLE_API_KEYS"),
        (
            {
                "STRIPE_DOUBLE_API_KEYS": TEST_API_KEY,
                "STRIPE_DOUBLE_HOST": "0.0.0.0",
                "STRIPE_DOUBLE_CONTROL": "true",
            },
            "loopback",
        ),
        (
            {
                "STRIPE_DOUBLE_API_KEYS": TEST_API_KEY,
                "STRIPE_DOUBLE_WEBHOOK_URL": "http://127.0.0.1:1/",
            },
            "webhook_secrets",
        ),
    ],
)
def test_wrong_settings_stop_the_start_and_are_named(environment: Any, named: str) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("STRIPE_DOUBLE_")}
    result = subprocess.run(
        [sys.executable, "-m", "stripe_double", "--check"],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert result.returncode == 2
    assert named in result.stderr


def test_undelivered_webhooks_go_on_after_a_restart(
    tmp_path: Path, receiver: Any, new_client: Any, wait: Any
) -> None:
    settings = {
        "data_dir": tmp_path,
        "webhook_url": receiver.url,
        "webhook_secrets": "whsec_a",
        "webhook_retry_seconds": "0.3",
    }
    receiver.answers = [503]
    with running_double(**settings) as double:
        new_client(double).v1.customers.create({})
        wait(lambda: len(double.ledger("delivery")) == 1)
    with running_double(**settings) as double:
        wait(lambda: len(double.ledger("delivery", outcome="succeeded")) == 1)
        assert len(new_client(double).v1.webhook_endpoints.list().data) == 1
    assert len(receiver.requests) == 2


def test_time_and_deadlines_go_on_after_a_restart(tmp_path: Path, new_client: Any) -> None:
    with running_double(data_dir=tmp_path) as double:
        client = new_client(double)
        price = double.call(lambda control: control.seed_catalog())["price"]["id"]
        session = client.v1.checkout.sessions.create(
            {
                "mode": "subscription",
                "line_items": [{"price": price, "quantity": 1}],
                "success_url": "http://shop.test/",
                "customer_email": "a@b.c",
            }
        )
        double.call(lambda control: control.pay(session.id))
        double.call(lambda control: control.advance(20 * 86_400))
        before = double.call(lambda control: control.advance(0))
    with running_double(data_dir=tmp_path) as double:
        assert double.call(lambda control: control.advance(12 * 86_400)) >= before
        assert len(new_client(double).v1.invoices.list().data) == 2


def test_the_same_seed_makes_the_same_world_byte_for_byte(new_client: Any) -> None:
    def world() -> Any:
        with running_double(
            seed="s", clock_start_seconds=1_900_000_000, clock_ticking=False, public_url="http://d"
        ) as double:
            client = new_client(double)
            price = double.call(lambda control: control.seed_catalog())["price"]["id"]
            for key in ("a", "b"):
                session = client.v1.checkout.sessions.create(
                    {
                        "mode": "subscription",
                        "line_items": [{"price": price, "quantity": 1}],
                        "success_url": "http://shop.test/",
                        "customer_email": "a@b.c",
                    },
                    {"idempotency_key": key},
                )
                double.call(lambda control, s=session.id: control.pay(s))
                double.call(lambda control: control.advance(40 * 86_400))
            raw = httpx.get(
                f"{double.url}/v1/events?limit=100",
                headers={"authorization": f"Bearer {double.api_key}"},
            )
            return raw.content, json.dumps(double.ledger("effect"))

    assert world() == world()


@pytest.mark.slow
def test_two_hundred_purchases_at_once_make_two_hundred_subscriptions(
    receiver: Any, new_client: Any, tmp_path: Path
) -> None:
    wanted = ["checkout.session.completed", "customer.subscription.created", "invoice.paid"]
    with running_double(data_dir=tmp_path) as double:
        client = new_client(double)
        client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": wanted})
        price = double.call(lambda control: control.seed_catalog())["price"]["id"]

        def buy(number: int) -> str:
            session = client.v1.checkout.sessions.create(
                {
                    "mode": "subscription",
                    "line_items": [{"price": price, "quantity": 1}],
                    "success_url": "http://shop.test/",
                    "customer_email": f"buyer{number}@example.com",
                    "client_reference_id": str(number),
                }
            )
            assert buyers.post(f"{session.url}/pay").status_code == 303
            return str(session.id)

        with ThreadPoolExecutor(8) as pool, httpx.Client() as buyers:
            sessions = set(pool.map(buy, range(200)))
        assert len(sessions) == 200
        charges = double.ledger("charge", outcome="succeeded")
        assert len({charge["subscription"] for charge in charges}) == len(charges) == 200
        double.wait_for_webhooks(timeout_seconds=30)
        events = [e for e in double.ledger("effect", object="event") if e["type"] in wanted]
        delivered = {entry["event"] for entry in double.ledger("delivery", outcome="succeeded")}
        assert delivered == {event["id"] for event in events}
        assert len(delivered) == 600
