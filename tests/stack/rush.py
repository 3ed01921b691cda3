"""Many people buy at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from tests.stack.market import Buyer, Market, Opened

AT_ONCE: Final = 32
# A group waits 15 s for a dead member before it gives its partitions to the new one; on a busy
# machine the new one needs half as long again to start, and then there is a queue.
PURCHASE_SECONDS: Final = 120


class Rush:
    """Everybody buys at once; `paid` grows as they do."""

    def __init__(self, market: Market, buyers: Sequence[Buyer]) -> None:
        self._market = market
        self._buyers = buyers
        self._room = asyncio.Semaphore(AT_ONCE)
        self._progress = asyncio.Condition()
        self.paid = 0

    async def buy_all(self) -> list[Opened]:
        return list(await asyncio.gather(*map(self._buy, self._buyers)))

    async def until_paid(self, count: int) -> None:
        async with self._progress:
            await self._progress.wait_for(lambda: self.paid >= count)

    async def _buy(self, buyer: Buyer) -> Opened:
        async with self._room:
            bought = await self._market.open_checkout(
                buyer, key=f"click-{buyer.subject}", deadline_seconds=PURCHASE_SECONDS
            )
            await self._market.pay(bought)
        async with self._progress:
            self.paid += 1
            self._progress.notify_all()
        return bought
