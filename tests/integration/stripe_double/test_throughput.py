"""How fast and how big: simple creates a second, memory of a session.

A small run that only a gross mistake fails. `STRIPE_DOUBLE_SESSIONS=100000 pytest -s` of this file
makes that many sessions in one process and prints the figures.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
import tracemalloc
from typing import Any
from urllib.parse import urlencode

import httpx

from stripe_double.double import StripeDouble
from stripe_double.http.requests import ApiRequest
from stripe_double.settings import Settings
from stripe_double.testing import TEST_API_KEY

SESSIONS = int(os.environ.get("STRIPE_DOUBLE_SESSIONS", "300"))
MOST_BYTES_EACH = 20_000
FEWEST_PER_CPU_SECOND = 250


async def nobody_leaves() -> None:
    await asyncio.Event().wait()


async def make_sessions(double: StripeDouble, count: int) -> None:
    price = double.control.seed_catalog()["price"]["id"]
    for number in range(count):
        params = {
            "mode": "subscription",
            "line_items[0][price]": price,
            "line_items[0][quantity]": "1",
            "success_url": "http://shop.test/",
            "customer_email": "a@b.c",
            "client_reference_id": str(number),
        }
        headers = {"authorization": f"Bearer {TEST_API_KEY}", "idempotency-key": str(number)}
        body = urlencode(params).encode()
        request = ApiRequest("POST", "/v1/checkout/sessions", headers, "", body)
        answer = await double.asgi_app.answer(request, nobody_leaves)
        assert answer.status == 200


async def test_sessions_are_made_fast_and_fit_in_memory() -> None:
    double = StripeDouble(Settings(api_keys=[TEST_API_KEY], seed="s"))
    is_measured = "STRIPE_DOUBLE_SESSIONS" in os.environ
    if not is_measured:
        tracemalloc.start()
    started = time.process_time()
    await make_sessions(double, SESSIONS)
    seconds = time.process_time() - started
    assert double.world.store.count("checkout.session") == SESSIONS
    if is_measured:
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stderr.write(
            f"\n{SESSIONS / seconds:.0f} sessions per CPU second, {peak_mib:.0f} MiB in all\n"
        )
        return
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / SESSIONS < MOST_BYTES_EACH
    assert SESSIONS / seconds > FEWEST_PER_CPU_SECOND / 5, "tracing costs about a fifth of it"


def test_creates_over_http_are_counted(double: Any, raw: httpx.Client) -> None:
    started = time.process_time()
    count = 100
    for number in range(count):
        assert raw.post("/v1/customers", data={"name": str(number)}).status_code == 200
    seconds = time.process_time() - started
    if "STRIPE_DOUBLE_SESSIONS" in os.environ:
        sys.stderr.write(
            f"\n{count / seconds:.0f} customers per CPU second, client and double together\n"
        )
    assert count / seconds > FEWEST_PER_CPU_SECOND / 5
