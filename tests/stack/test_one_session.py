"""Two hundred different clicks for one account at once: one of them gets a session."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import httpx
import pytest
from tests.fixtures.stack_processes import WholeStack
from tests.stack.books import assert_books_agree, wait_until_settled
from tests.stack.ledger import Ledger
from tests.stack.market import Buyer, Market, opened

pytestmark = [pytest.mark.stack, pytest.mark.connected, pytest.mark.slow]

CLICKS: Final = 200
_RIGHT_CODES: Final = {"checkout_in_progress", "checkout_session_open"}


async def _click(market: Market, buyer: Buyer, number: int) -> httpx.Response:
    """As a browser: an answer that is not there yet is asked for again, with the same key."""
    while True:
        answer = await market.ask(buyer, key=f"click-{number}")
        if answer.status_code != 202:
            return answer
        market.retries["202"] += 1
        await asyncio.sleep(float(answer.headers["Retry-After"]))


@pytest.mark.requirement("SCOPE-04")
@pytest.mark.requirement("SCOPE-05")
@pytest.mark.requirement("IDEM-05")
async def test_many_clicks_make_one_session(
    stack: WholeStack, market: Market, ledger: Ledger, tell: Callable[[str], None]
) -> None:
    # One account's commands go one after the other: the last click waits for all the others.
    await asyncio.to_thread(stack.stop_service, "api-gateway")
    await stack.start_service("api-gateway", GATEWAY_REPLY_WAIT_SECONDS="30")
    (buyer,) = await market.buyers(1)
    began = time.monotonic()
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(_click(market, buyer, one) for one in range(CLICKS)))
    seconds = time.monotonic() - began
    statuses = Counter(answer.status_code for answer in answers)
    codes = Counter(
        answer.json()["error"]["code"] for answer in answers if answer.status_code != 200
    )
    tell(f"{CLICKS} clicks in {seconds:.1f} s: {dict(statuses)} {dict(codes)} {market.retries}")
    assert statuses == {200: 1, 409: CLICKS - 1}
    assert codes.keys() <= _RIGHT_CODES
    (winner,) = (number for number, one in enumerate(answers) if one.status_code == 200)
    bought = opened(buyer, f"click-{winner}", answers[winner])

    (session,) = await ledger.sessions([buyer.entity_id])
    assert (session.id, session.status) == (bought.session_id, "open")
    requests = await ledger.entries("request", operation="checkout.sessions.create")
    asked = [
        one
        for one in requests
        if one["params"]["metadata"]["operation_key"] == bought.operation_key
    ]
    assert len(asked) == 1, "nobody else even asked Stripe"
    kept = await stack.rows(
        "SELECT operation_key, status FROM billing_request_idempotency"
        f" WHERE billable_entity_id = {buyer.entity_id}"
    )
    assert kept == [(bought.operation_key, "succeeded")], "a refused click burns no key"

    await market.pay(bought)
    await wait_until_settled(stack, ledger, [bought], timeout_seconds=30)
    await assert_books_agree(stack, ledger, [bought])
