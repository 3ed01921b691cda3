"""A consumer for strict order: one batch of a partition after the other, offsets in the database.

The handler runs ONE database transaction that includes the compare-and-set of the stored offset.
Kafka's committed offset only serves lag metrics. A partition whose batch fails waits, longer each
time, and the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

import structlog
from faststream.kafka import KafkaBroker

from billing_common.messaging.backoff import Backoff
from billing_common.messaging.errors import OffsetGap
from billing_common.messaging.partition_feed import SESSION_TIMEOUT_MS, PartitionFeed
from billing_common.messaging.records import Partition, PartitionBatch

logger = structlog.get_logger(__name__)

# A batch should take well below 2 s, so that rebalances and stops are quick.
MAX_RECORDS: Final = 500
RETRY_BACKOFF: Final = Backoff(first_seconds=0.05, cap_seconds=30.0)
# A batch under way when its task is cancelled may finish: its commit could be out already.
_LAST_BATCH_SECONDS: Final = 20.0

LoadOffsets = Callable[[Collection[int]], Awaitable[Mapping[int, int]]]
ProcessBatch = Callable[[PartitionBatch], Awaitable[None]]


class OrderedBatchConsumer:
    """`load_offsets(partition numbers)` gives the next offset per partition, as stored; what it
    leaves out starts at the beginning of the log.

    `process(batch)` makes the batch durable or raises: OffsetGap(expected) reads again from there,
    OffsetFenced and everything else reads the same batch again. It must skip records below the
    stored offset.
    """

    def __init__(
        self,
        *,
        topic: str,
        group_id: str,
        load_offsets: LoadOffsets,
        process: ProcessBatch,
        max_records: int = MAX_RECORDS,
        session_timeout_ms: int = SESSION_TIMEOUT_MS,
        backoff: Backoff = RETRY_BACKOFF,
    ) -> None:
        self.name = group_id
        self.feed = PartitionFeed(
            topic=topic,
            group_id=group_id,
            sink=self,
            max_records=max_records,
            session_timeout_ms=session_timeout_ms,
        )
        self._load_offsets = load_offsets
        self._process = process
        self._backoff = backoff
        self._gate = asyncio.Lock()
        self._failures: dict[Partition, int] = {}
        self._resumptions: dict[Partition, asyncio.TimerHandle] = {}
        self._progress_at: float | None = None

    def attach(self, broker: KafkaBroker) -> None:
        """Subscribe on this broker, before it starts."""
        self.feed.attach(broker)

    async def stop(self) -> None:
        """Finish the batch under way, take no other. Call before the broker stops."""
        await self.feed.stop()

    # -- for ConsumerHealth -------------------------------------------------------------------

    @property
    def fatal_reason(self) -> str | None:
        """Never: every failure here is waited out."""
        return None

    @property
    def has_live_task(self) -> bool:
        """False when nothing polls any more."""
        return self.feed.has_live_task

    @property
    def progress_at(self) -> float | None:
        """Loop time of the last batch that ended, well or not; None before the first."""
        return self._progress_at

    async def backlog(self) -> int:
        """Records waiting in the log."""
        return await self.feed.backlog()

    # -- for the feed -------------------------------------------------------------------------

    async def start_offsets(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """The stored offsets."""
        stored = await self._load_offsets([partition.number for partition in partitions])
        return {p: stored[p.number] for p in partitions if p.number in stored}

    async def revoked(self, partitions: Collection[Partition]) -> None:
        """Returns when the batch under way has ended."""
        async with self._gate:
            for partition in partitions:
                self._failures.pop(partition, None)
                resumption = self._resumptions.pop(partition, None)
                if resumption is not None:
                    resumption.cancel()

    async def deliver(self, batch: PartitionBatch) -> None:
        """Process the batch, or put it back and let its partition wait."""
        partition = Partition(batch.topic, batch.partition)
        async with self._gate:
            if not self.feed.is_assigned(partition):
                return  # revoked while we waited; the next owner reads it
            work = asyncio.ensure_future(self._process(batch))
            was_cancelled = await _ended(work)
            self._progress_at = asyncio.get_running_loop().time()
            error = asyncio.CancelledError() if work.cancelled() else work.exception()
            if error is None:
                self._failures.pop(partition, None)
                self.feed.commits.note(partition, batch.next_offset)
            else:
                self._put_back(partition, batch, error)
        if was_cancelled:
            raise asyncio.CancelledError

    def _put_back(self, partition: Partition, batch: PartitionBatch, error: BaseException) -> None:
        failures = self._failures[partition] = self._failures.get(partition, 0) + 1
        delay = self._backoff.seconds(failures)
        offset = error.expected if isinstance(error, OffsetGap) else batch.first_offset
        logger.warning(
            "kafka.batch_failed",
            group=self.name,
            topic=batch.topic,
            partition=batch.partition,
            offset=batch.first_offset,
            next_offset=offset,
            records=len(batch.records),
            attempt=failures,
            seconds=round(delay, 3),
            error=error,
        )
        if not self.feed.is_assigned(partition):
            return  # revoked while it ran; the next owner starts at the stored offset
        self.feed.rewind(partition, offset)
        self.feed.pause(partition)
        self._resumptions[partition] = asyncio.get_running_loop().call_later(
            delay, self._resume, partition
        )

    def _resume(self, partition: Partition) -> None:
        self._resumptions.pop(partition, None)
        self.feed.resume(partition)


async def _ended(work: asyncio.Future[None]) -> bool:
    """Wait for the work even if we are cancelled meanwhile (then True), but not for ever.

    Letting go early would let the next owner start while our transaction is still open.
    """
    was_cancelled = False
    while not work.done():
        try:
            done, _ = await asyncio.wait(
                {work}, timeout=_LAST_BATCH_SECONDS if was_cancelled else None
            )
            if not done:
                work.cancel()
        except asyncio.CancelledError:
            was_cancelled = True
    return was_cancelled
