"""Ends a task for certain."""

from __future__ import annotations

import asyncio

import structlog

log = structlog.get_logger()

# Long enough for what a cancelled task still has to give back.
ASK_AGAIN_SECONDS = 2.0


async def end_task(
    task: asyncio.Task[None], *, ask_again_seconds: float = ASK_AGAIN_SECONDS
) -> None:
    """Cancel `task` until it has ended. How it ended is logged, never raised.

    Once is not enough: up to Python 3.11 `asyncio.wait_for`, which database drivers use, loses a
    cancellation that arrives together with its result, and a loop would then go on for ever.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=ask_again_seconds)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("process.task_had_failed", task=task.get_name(), error=error)
