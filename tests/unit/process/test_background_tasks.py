"""A task that is told to end does end."""

from __future__ import annotations

import asyncio

import pytest

from billing_common.process.background_tasks import end_task


async def _lose_the_first_cancellation(seen: list[str]) -> None:
    """What a driver under Python 3.11's `asyncio.wait_for` does when its answer is just there."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            if len(seen) > 1:
                raise


@pytest.mark.requirement("OPS-06")
async def test_a_lost_cancellation_is_asked_for_again() -> None:
    seen: list[str] = []
    task = asyncio.create_task(_lose_the_first_cancellation(seen))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end_task(task, ask_again_seconds=0.01)
    assert task.cancelled()
    assert seen == ["cancelled", "cancelled"]


async def test_a_task_that_failed_before_does_not_stop_the_stopping() -> None:
    async def fail() -> None:
        raise ValueError

    task = asyncio.create_task(fail())
    await asyncio.wait({task})
    await end_task(task)
    assert task.done()


async def test_what_the_task_gives_back_is_waited_for() -> None:
    given_back: list[str] = []

    async def hold() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            given_back.append("lease")

    task = asyncio.create_task(hold())
    await asyncio.sleep(0)
    await end_task(task)
    assert given_back == ["lease"]
