from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def run_blocking(ask: Callable[[], Awaitable[T]], timeout_seconds: float) -> T:
    """Await ``ask()`` in a thread of its own, so that it works under a running event loop too.

    Raises TimeoutError after ``timeout_seconds``.
    """

    async def bounded() -> T:
        async with asyncio.timeout(timeout_seconds):
            return await ask()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ask") as pool:
        return pool.submit(lambda: asyncio.run(bounded())).result()
