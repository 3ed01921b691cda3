"""Whether consumers still work. A ping says nothing: a dead consume task keeps its partitions.

Alive means: something polls, and either nothing waits or something ended lately, well or not. A
broker or database that is away is not our death; exiting would only add a restart storm.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog
from aiokafka.errors import KafkaError

logger = structlog.get_logger(__name__)

CHECK_INTERVAL_SECONDS: Final = 5.0
# Longer than the longest handler (a provider call within its lease) and any retry's wait.
STALLED_AFTER_SECONDS: Final = 120.0
BACKLOG_TIMEOUT_SECONDS: Final = 3.0
# EX_SOFTWARE: the supervisor starts a fresh process.
EXIT_CONSUMER_DIED: Final = 70


class WatchedConsumer(Protocol):
    """OrderedBatchConsumer and KeyedConcurrencyConsumer."""

    name: str

    @property
    def fatal_reason(self) -> str | None:
        """Why it stopped for good, if it did."""

    @property
    def has_live_task(self) -> bool:
        """Something polls."""

    @property
    def progress_at(self) -> float | None:
        """Loop time of the last thing that ended."""

    async def backlog(self) -> int:
        """How many records wait."""


def exit_process(reason: str) -> None:
    """End at once, without cleaning up: what hangs would hang the cleaning too."""
    logger.critical("process.exits", reason=reason, exit_code=EXIT_CONSUMER_DIED)
    os._exit(EXIT_CONSUMER_DIED)


class ConsumerHealth:
    """Watches consumers; `on_dead(reason)` is called once, by default it ends the process."""

    def __init__(
        self,
        consumers: Sequence[WatchedConsumer],
        *,
        on_dead: Callable[[str], None] = exit_process,
        stalled_after_seconds: float = STALLED_AFTER_SECONDS,
        check_interval_seconds: float = CHECK_INTERVAL_SECONDS,
    ) -> None:
        self._consumers = consumers
        self._on_dead = on_dead
        self._stalled_after_seconds = stalled_after_seconds
        self._check_interval_seconds = check_interval_seconds
        self._waiting_since: dict[str, float] = {}
        self.dead_reason: str | None = None

    async def is_live(self) -> bool:
        """For /livez: needs neither broker nor database."""
        return self.dead_reason is None and all(
            consumer.has_live_task and consumer.fatal_reason is None for consumer in self._consumers
        )

    async def watch(self) -> None:
        """Run as a task from after the start until before the stop. Ends when a consumer died."""
        while self.dead_reason is None:
            await asyncio.sleep(self._check_interval_seconds)
            await self.check()

    async def check(self) -> None:
        """One look at every consumer."""
        for consumer in self._consumers:
            reason = await self._why_dead(consumer)
            if reason is not None and self.dead_reason is None:
                self.dead_reason = f"{consumer.name}: {reason}"
                logger.critical("kafka.consumer_died", group=consumer.name, reason=reason)
                self._on_dead(self.dead_reason)

    async def _why_dead(self, consumer: WatchedConsumer) -> str | None:
        if consumer.fatal_reason is not None:
            return consumer.fatal_reason
        if not consumer.has_live_task:
            return "consume_task_ended"
        try:
            async with asyncio.timeout(BACKLOG_TIMEOUT_SECONDS):
                backlog = await consumer.backlog()
        except (KafkaError, OSError, TimeoutError):
            self._waiting_since.pop(consumer.name, None)  # the broker is away: start over
            return None
        if not backlog:
            self._waiting_since.pop(consumer.name, None)
            return None
        now = asyncio.get_running_loop().time()
        since = self._waiting_since.setdefault(consumer.name, now)
        last = max(since, consumer.progress_at or since)
        return "no_progress" if now - last > self._stalled_after_seconds else None
