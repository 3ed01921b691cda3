"""Two hundred people buy while one service is killed with SIGKILL, and started again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

import pytest
from tests.fixtures.stack_processes import SERVICE_NAMES, WholeStack
from tests.stack.books import assert_books_agree, wait_until_settled
from tests.stack.ledger import Ledger
from tests.stack.market import Market
from tests.stack.rush import Rush

pytestmark = [
    pytest.mark.stack,
    pytest.mark.connected,
    pytest.mark.slow,
    pytest.mark.timeout(240),
]

PURCHASES: Final = 200
SETTLING_SECONDS: Final = 60


async def _kill_and_start(stack: WholeStack, victim: str) -> None:
    await asyncio.to_thread(stack.kill, victim)
    await stack.start_service(victim)


async def _survive(
    stack: WholeStack,
    market: Market,
    ledger: Ledger,
    tell: Callable[[str], None],
    kills: Sequence[tuple[int, str]],
) -> None:
    """`kills`: how many have paid when which service is killed."""
    rush = Rush(market, await market.buyers(PURCHASES))
    began = time.monotonic()

    async def kill() -> None:
        for paid, victim in kills:
            await rush.until_paid(paid)
            await _kill_and_start(stack, victim)

    async with asyncio.TaskGroup() as group:
        buying = group.create_task(rush.buy_all())
        group.create_task(kill())
    bought = buying.result()
    bought_seconds = time.monotonic() - began
    settling_seconds = await wait_until_settled(
        stack, ledger, bought, timeout_seconds=SETTLING_SECONDS
    )
    await assert_books_agree(stack, ledger, bought)
    recovered = await stack.rows(
        "SELECT COUNT(*) FROM billing_request_idempotency WHERE recovery_attempt_count > 0"
        f" AND billable_entity_id >= {min(one.buyer.entity_id for one in bought)}"
    )
    tell(
        f"{len(bought)} purchases, killed at {kills}: bought in {bought_seconds:.1f} s, settled"
        f" {settling_seconds:.1f} s later; operations recovered {recovered[0][0]}; asked again:"
        f" {dict(market.retries) or 'never'}"
    )


@pytest.mark.requirement("SCOPE-04")
@pytest.mark.requirement("SCOPE-05")
@pytest.mark.requirement("SCOPE-06")
@pytest.mark.requirement("SCOPE-12")
@pytest.mark.requirement("IDEM-11")
@pytest.mark.requirement("OPS-06")
@pytest.mark.parametrize("victim", SERVICE_NAMES)
async def test_every_purchase_survives_the_death_of(
    stack: WholeStack, market: Market, ledger: Ledger, tell: Callable[[str], None], victim: str
) -> None:
    await _survive(stack, market, ledger, tell, [(random.randrange(PURCHASES * 3 // 4), victim)])


@pytest.mark.requirement("SCOPE-12")
@pytest.mark.requirement("IDEM-11")
async def test_every_purchase_survives_any_deaths(
    stack: WholeStack, market: Market, ledger: Ledger, tell: Callable[[str], None]
) -> None:
    victims = random.sample(SERVICE_NAMES, len(SERVICE_NAMES))
    moments = sorted(random.sample(range(10, PURCHASES * 3 // 4), len(victims)))
    await _survive(stack, market, ledger, tell, list(zip(moments, victims, strict=True)))
