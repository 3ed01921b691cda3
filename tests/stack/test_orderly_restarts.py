"""Every service is stopped and started again while people buy: nobody has to recover anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import pytest
from tests.fixtures.stack_processes import SERVICE_NAMES, WholeStack
from tests.stack.books import assert_books_agree, wait_until_settled
from tests.stack.ledger import Ledger
from tests.stack.market import Market
from tests.stack.rush import Rush

pytestmark = [pytest.mark.stack, pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(240)]

PURCHASES: Final = 100


@pytest.mark.requirement("OPS-06")
@pytest.mark.requirement("SCOPE-12")
async def test_an_orderly_restart_finishes_what_is_under_way(
    stack: WholeStack, market: Market, ledger: Ledger, tell: Callable[[str], None]
) -> None:
    rush = Rush(market, await market.buyers(PURCHASES))
    stop_seconds: dict[str, float] = {}
    exit_statuses: dict[str, int] = {}

    async def restart_each() -> None:
        for number, name in enumerate(SERVICE_NAMES):
            await rush.until_paid((number + 1) * PURCHASES // 8)
            began = time.monotonic()
            exit_statuses[name] = await asyncio.to_thread(stack.stop_service, name)
            stop_seconds[name] = round(time.monotonic() - began, 1)
            await stack.start_service(name)

    async with asyncio.TaskGroup() as group:
        buying = group.create_task(rush.buy_all())
        group.create_task(restart_each())
    bought = buying.result()
    assert exit_statuses == dict.fromkeys(SERVICE_NAMES, 0), "all ended by themselves, and well"
    await wait_until_settled(stack, ledger, bought, timeout_seconds=60)
    await assert_books_agree(stack, ledger, bought)
    tell(f"seconds to stop: {stop_seconds}; asked again: {dict(market.retries) or 'never'}")
