"""Feeds partitions to a consumer, batch by batch, with nothing skipped: the FastStream shell.

FastStream polls and carries; what is ours is the position. Each assignment starts paused, at the
offset its owner names, and a batch that does not start where the last one ended is fetched again.
So neither a rebalance, nor a failed handler, nor records fetched for a former assignment can make
a record pass unseen.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from billing_common.messaging.backoff import Backoff
from billing_common.messaging.offset_commits import OffsetCommits
from billing_common.messaging.records import Partition, PartitionBatch, Record

logger = structlog.get_logger(__name__)

# After an empty poll FastStream *sleeps* as long again: that is where an idle consumer's delay came
# from. `_poll_until_found` never returns empty, so the sleep is not reached and this is only how
# often an idle poll turns over.
POLL_MS: Final = 500
# Longest a fetch waits at the broker. A partition that was read or paused while one is under way
# joins the next one, so this bounds how late it is noticed; new data answers a fetch at once.
FETCH_MAX_WAIT_MS: Final = 100
# Heartbeats share the event loop with handlers: a busy second must not look like a death.
SESSION_TIMEOUT_MS: Final = 15_000
HEARTBEAT_INTERVAL_MS: Final = 1_000
# A rebalance waits this long for members that still finish their work; > longest batch or handler.
REBALANCE_TIMEOUT_MS: Final = 60_000
_POSITION_BACKOFF: Final = Backoff(first_seconds=0.1, cap_seconds=5.0)


class Sink(Protocol):
    """What a consumer offers its feed."""

    async def start_offsets(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """The offset that is due, per partition; a partition left out starts at the log's start."""

    async def deliver(self, batch: PartitionBatch) -> None:
        """Take the batch. An exception means: not taken, hand it out again."""

    async def revoked(self, partitions: Collection[Partition]) -> None:
        """Finish or abandon work on these; the next owner starts when this returns."""


@dataclass(slots=True)
class _Position:
    """`due`: the next offset to hand out. `hole_end`: where a gap was seen once already."""

    due: int
    hole_end: int | None = None


class PartitionFeed(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One subscription of one consumer group. Methods are for the sink, on the event loop."""

    def __init__(
        self,
        *,
        topic: str,
        group_id: str,
        sink: Sink,
        max_records: int,
        session_timeout_ms: int = SESSION_TIMEOUT_MS,
    ) -> None:
        self.topic = topic
        self.group_id = group_id
        self.commits = OffsetCommits(self._commit)
        self.blocked: dict[Partition, str] = {}
        self._sink = sink
        self._max_records = max_records
        self._session_timeout_ms = session_timeout_ms
        self._subscriber: Any = None
        self._positions: dict[Partition, _Position] = {}
        self._paused: set[Partition] = set()
        self._is_held = False
        self._is_stopped = False
        self._positioning: asyncio.Task[None] | None = None
        self._polls_of: Any = None

    # -- the subscription ---------------------------------------------------------------------

    def attach(self, broker: KafkaBroker) -> None:
        """Subscribe, to start with the broker."""
        self._subscriber = broker.subscriber(
            self.topic,
            group_id=self.group_id,
            ack_policy=AckPolicy.MANUAL,
            batch=True,
            max_records=self._max_records,
            batch_timeout_ms=POLL_MS,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            listener=self,
            # Only reached when the offset that is due is gone from the log; the hole is reported.
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=self._session_timeout_ms,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            decoder=_raw_records,
            no_reply=True,
        )

        @self._subscriber  # type: ignore[untyped-decorator]
        async def take(raw_records: Any) -> None:
            await self._take(raw_records)

    @property
    def has_live_task(self) -> bool:
        """False when nothing polls any more though nobody stopped it."""
        if self._is_stopped or self._subscriber is None:
            return self._is_stopped
        return bool(self._subscriber.running) and any(
            not task.done() for task in self._subscriber.tasks
        )

    async def backlog(self) -> int:
        """Records in the log and not handed out. Raises KafkaError when the broker is away."""
        if not self._positions:
            return 0
        ends = await self._consumer.end_offsets([TopicPartition(*p) for p in self._positions])
        return sum(
            max(0, ends[TopicPartition(*p)] - position.due)
            for p, position in self._positions.items()
            if TopicPartition(*p) in ends
        )

    async def stop(self) -> None:
        """Take nothing more and let the sink finish. Call before the broker stops."""
        self._is_stopped = True
        await self._give_up(tuple(self._positions))
        self.commits.close()

    # -- what a sink may ask for --------------------------------------------------------------

    def is_assigned(self, partition: Partition) -> bool:
        """True from its positioning to its revocation."""
        return partition in self._positions

    def rewind(self, partition: Partition, offset: int) -> None:
        """Hand out `offset` next."""
        position = self._positions.get(partition)
        if position is not None:
            position.due = offset
            self._consumer.seek(TopicPartition(*partition), offset)

    def pause(self, partition: Partition) -> None:
        """Hand out nothing of this partition until it is resumed; others go on."""
        self._paused.add(partition)
        self._apply_pauses()

    def resume(self, partition: Partition) -> None:
        """Undo `pause`."""
        self._paused.discard(partition)
        self._apply_pauses()

    def hold(self) -> None:
        """Hand out nothing at all (too much under way); polling goes on, so we stay a member."""
        self._is_held = True
        self._apply_pauses()

    def release(self) -> None:
        """Undo `hold`."""
        self._is_held = False
        self._apply_pauses()

    async def committed_offsets(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """What the group committed to Kafka, for consumers that keep their offsets there."""
        found = {}
        for partition in partitions:
            offset = await self._consumer.committed(TopicPartition(*partition))
            if offset is not None:
                found[partition] = offset
        return found

    # -- rebalances ---------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        """The rebalance goes on, and the next owner starts, when this returns."""
        await self._give_up([Partition(*tp) for tp in revoked])

    async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        """Nothing is read before its position is known; finding it must not hold up the group."""
        if self._polls_of is not self._consumer:
            self._polls_of = self._consumer
            _poll_until_found(self._consumer)
        if not assigned or self._is_stopped:
            return
        self._consumer.pause(*assigned)
        self._positioning = asyncio.create_task(
            self._position([Partition(*tp) for tp in assigned]), name="kafka-position"
        )

    async def _give_up(self, partitions: Collection[Partition]) -> None:
        if self._positioning is not None:
            self._positioning.cancel()
        for partition in partitions:
            self._positions.pop(partition, None)
            self.blocked.pop(partition, None)
        await self._sink.revoked(partitions)
        self._paused.difference_update(partitions)
        await self.commits.flush(partitions)
        self.commits.forget(partitions)

    async def _position(self, partitions: Collection[Partition]) -> None:
        for attempt in itertools.count(1):
            try:
                for partition, due in (await self._find_starts(partitions)).items():
                    self._consumer.seek(TopicPartition(*partition), due)
                    self._positions[partition] = _Position(due)
            except Exception as error:  # noqa: BLE001 - a database or broker that is away; again
                logger.warning("kafka.position_unknown", group=self.group_id, error=error)
                await asyncio.sleep(_POSITION_BACKOFF.seconds(attempt))
            else:
                break
        self._apply_pauses()

    async def _find_starts(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        stored = await self._sink.start_offsets(partitions)
        tps = [TopicPartition(*p) for p in partitions]
        begins = await self._consumer.beginning_offsets(tps)
        ends = await self._consumer.end_offsets(tps)
        starts = {}
        for partition, tp in zip(partitions, tps, strict=True):
            due = stored.get(partition, begins[tp])
            if due > ends[tp]:
                # The topic was made anew or lost its tail: reading on would skip what is new.
                self._block(partition, "offset_beyond_log_end", expected=due, found=ends[tp])
                continue
            starts[partition] = due
        return starts

    def _block(self, partition: Partition, reason: str, *, expected: int, found: int) -> None:
        self.blocked[partition] = reason
        logger.error(
            "kafka.partition_blocked",
            group=self.group_id,
            topic=partition.topic,
            partition=partition.number,
            reason=reason,
            expected=expected,
            found=found,
        )

    def _apply_pauses(self) -> None:
        consumer = self._consumer
        ours = consumer.assignment() if consumer is not None else ()
        for partition in self._positions:
            tp = TopicPartition(*partition)
            if tp not in ours:
                continue
            if self._is_held or partition in self._paused:
                consumer.pause(tp)
            else:
                consumer.resume(tp)

    # -- records ------------------------------------------------------------------------------

    async def _take(self, raw: Iterable[Any]) -> None:
        for (topic, number), group in itertools.groupby(raw, lambda r: (r.topic, r.partition)):
            partition = Partition(topic, number)
            records = self._in_turn(partition, [_record(item) for item in group])
            if not records:
                continue
            batch = PartitionBatch(topic, number, tuple(records))
            try:
                await self._sink.deliver(batch)
            except Exception as error:
                logger.exception("kafka.batch_not_taken", group=self.group_id, error=error)
                self.rewind(partition, batch.first_offset)

    def _in_turn(self, partition: Partition, records: list[Record]) -> list[Record]:
        """The records that are due, or none: then they will come again."""
        position = self._positions.get(partition)
        if position is None:
            return []
        due = [record for record in records if record.offset >= position.due]
        if not due:
            return []
        first = due[0].offset
        if first > position.due and first != position.hole_end:
            # Fetched for a former assignment, most likely. If the same hole comes back, it is
            # in the log itself (retention), and the sink decides.
            position.hole_end = first
            self._consumer.seek(TopicPartition(*partition), position.due)
            return []
        if first > position.due:
            logger.error(
                "kafka.log_has_a_hole",
                group=self.group_id,
                topic=partition.topic,
                partition=partition.number,
                expected=position.due,
                found=first,
            )
        position.due = due[-1].offset + 1
        return due

    @property
    def _consumer(self) -> Any:
        return None if self._subscriber is None else self._subscriber.consumer

    async def _commit(self, offsets: Mapping[Partition, int]) -> None:
        consumer = self._consumer
        if consumer is None:
            raise KafkaError("the consumer is stopped")
        ours = consumer.assignment()
        wanted = {TopicPartition(*p): offset for p, offset in offsets.items()}
        wanted = {tp: offset for tp, offset in wanted.items() if tp in ours}
        if wanted:
            await consumer.commit(wanted)


async def _raw_records(message: Any) -> Any:
    return message.raw_message


def _poll_until_found(consumer: Any) -> None:
    """Let this consumer's polls wait for records instead of coming back empty (see POLL_MS)."""
    poll = consumer.getmany

    async def getmany(**limits: Any) -> Any:
        while True:
            found = await poll(**limits)
            if found:
                return found

    consumer.getmany = getmany


def _record(item: Any) -> Record:
    return Record(
        topic=item.topic,
        partition=item.partition,
        offset=item.offset,
        key=item.key,
        value=item.value,
        headers=tuple(item.headers),
        timestamp_ms=item.timestamp,
    )
