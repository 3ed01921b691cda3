"""Tells Kafka how far we are: explicit offsets, in the background, never ahead of the work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from billing_common.messaging.records import Partition

logger = structlog.get_logger(__name__)

# One round trip per interval instead of one per batch; what a crash repeats is idempotent.
COMMIT_INTERVAL_SECONDS: Final = 0.5
COMMIT_TIMEOUT_SECONDS: Final = 5.0

Commit = Callable[[Mapping[Partition, int]], Awaitable[None]]


class OffsetCommits:
    """Holds the newest committable offset per partition until Kafka has it."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._due: dict[Partition, int] = {}
        self._task: asyncio.Task[None] | None = None

    def note(self, partition: Partition, next_offset: int) -> None:
        """Everything before `next_offset` is finished."""
        self._due[partition] = next_offset
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._later(), name="kafka-offset-commit")

    async def flush(self, partitions: Iterable[Partition]) -> None:
        """Commit these now, as well as can be done. A failure only means work is repeated."""
        due = {p: self._due.pop(p) for p in partitions if p in self._due}
        if due:
            await self._send(due)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """These are no longer ours to commit."""
        for partition in partitions:
            self._due.pop(partition, None)

    def close(self) -> None:
        """Stop committing in the background."""
        if self._task is not None:
            self._task.cancel()

    async def _later(self) -> None:
        while self._due:
            await asyncio.sleep(COMMIT_INTERVAL_SECONDS)
            due = dict(self._due)
            if await self._send(due):
                for partition, offset in due.items():
                    if self._due.get(partition) == offset:
                        del self._due[partition]

    async def _send(self, due: Mapping[Partition, int]) -> bool:
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_SECONDS):
                await self._commit(due)
        except (KafkaError, OSError, TimeoutError) as error:
            logger.info("kafka.offset_commit_failed", error=error, count=len(due))
            return False
        return True
