"""A consumer for many keys at once: order is kept per key, and nothing unfinished is committed.

It rides on a FastStream batch subscriber whose handler only queues; the work runs in one lane per
key. A handler may give back a rest that needs no order: the lane goes on, and the record is
finished with its rest. When too much is queued, partitions are paused while polling goes on, so
the group does not take a busy member for a dead one.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import structlog
from faststream.kafka import KafkaBroker

from billing_common.messaging.consumer_policy import (
    DeadLetterLimit,
    FailureAction,
    FailurePolicy,
    failure_code,
    failure_kind,
)
from billing_common.messaging.dead_letters import DeadLetters
from billing_common.messaging.errors import BrokerUnavailable, RecordRejected
from billing_common.messaging.finished_prefix import FinishedPrefix
from billing_common.messaging.partition_feed import SESSION_TIMEOUT_MS, PartitionFeed
from billing_common.messaging.records import Partition, PartitionBatch, Record

logger = structlog.get_logger(__name__)

# Handlers at once. Each may hold a database connection and a provider call.
MAX_IN_FLIGHT: Final = 64
# Records queued before partitions pause, per record in flight: enough to find other keys behind
# a slow one, little enough to be repeated after a crash.
QUEUE_PER_IN_FLIGHT: Final = 8
MAX_RECORDS: Final = 100
# A revoked partition waits this long for its handlers; below the feed's REBALANCE_TIMEOUT_MS and
# above the provider's time limit.
REVOKE_WAIT_SECONDS: Final = 30.0

# Rests of one key at once: a busy key must not take all the slots.
RESTS_PER_LANE_MAX: Final = 8

Lane = tuple[Partition, bytes | None]
Rest = Callable[[], Awaitable[None]]
HandleRecord = Callable[[Record], Awaitable[Rest | None]]


@dataclass(frozen=True, slots=True)
class _Step:
    """How far an attempt got: done with, or a rest that is left, or again after a delay."""

    is_done: bool = False
    delay_seconds: float = 0.0
    rest: Rest | None = None


@dataclass(slots=True)
class _Assignment:
    """One partition from assignment to revocation."""

    partition: Partition
    ledger: FinishedPrefix = field(default_factory=FinishedPrefix)
    revoked: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: int = 0
    is_abandoned: bool = False

    def __post_init__(self) -> None:
        self.idle.set()

    def enter(self) -> None:
        self.in_flight += 1
        self.idle.clear()

    def leave(self) -> None:
        self.in_flight -= 1
        if not self.in_flight:
            self.idle.set()


class KeyedConcurrencyConsumer:
    """`handle(record)` makes its effect durable before it returns; it may be called again for the
    same record after a crash or a rebalance. Its errors are judged by `policy`. It may return a
    rest: what is left to do no longer depends on the order of its key. If the rest fails, the whole
    record is handled again, out of line.

    `on_stopped(reason)` is called once when the consumer stops for good; the process should exit.
    Records without a key are kept in order per partition.
    """

    def __init__(
        self,
        *,
        topic: str,
        group_id: str,
        handle: HandleRecord,
        dead_letters: DeadLetters,
        policy: FailurePolicy | None = None,
        dead_letter_limit: DeadLetterLimit | None = None,
        max_in_flight: int = MAX_IN_FLIGHT,
        max_records: int = MAX_RECORDS,
        session_timeout_ms: int = SESSION_TIMEOUT_MS,
        revoke_wait_seconds: float = REVOKE_WAIT_SECONDS,
        on_stopped: Callable[[str], None] | None = None,
    ) -> None:
        self.name = group_id
        self.feed = PartitionFeed(
            topic=topic,
            group_id=group_id,
            sink=self,
            max_records=max_records,
            session_timeout_ms=session_timeout_ms,
        )
        self.fatal_reason: str | None = None
        self._handle = handle
        self._dead_letters = dead_letters
        self._policy = policy or FailurePolicy()
        self._limit = dead_letter_limit or DeadLetterLimit()
        self._slots = asyncio.Semaphore(max_in_flight)
        self._queue_high = max_in_flight * QUEUE_PER_IN_FLIGHT
        self._revoke_wait_seconds = revoke_wait_seconds
        self._on_stopped = on_stopped
        self._assignments: dict[Partition, _Assignment] = {}
        self._lanes: dict[Lane, deque[tuple[_Assignment, Record]]] = {}
        self._rests: dict[Lane, set[asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._queued = 0
        self._is_full = False
        self._progress_at: float | None = None

    def attach(self, broker: KafkaBroker) -> None:
        """Subscribe on this broker, before it starts."""
        self.feed.attach(broker)

    async def stop(self) -> None:
        """Finish what is in flight (bounded), commit the prefix. Call before the broker stops."""
        await self.feed.stop()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    # -- for ConsumerHealth -------------------------------------------------------------------

    @property
    def has_live_task(self) -> bool:
        """False when nothing polls any more."""
        return self.feed.has_live_task

    @property
    def progress_at(self) -> float | None:
        """Loop time of the last attempt that ended, well or not; None before the first."""
        return self._progress_at

    async def backlog(self) -> int:
        """Records waiting here or in the log."""
        return self._queued + await self.feed.backlog()

    # -- for the feed -------------------------------------------------------------------------

    async def start_offsets(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """What the group committed: the finished prefix of whoever had the partition before."""
        return await self.feed.committed_offsets(partitions)

    async def deliver(self, batch: PartitionBatch) -> None:
        """Queue the records in their keys' lanes. Returns at once."""
        partition = Partition(batch.topic, batch.partition)
        assignment = self._assignments.get(partition)
        if assignment is None:
            assignment = self._assignments[partition] = _Assignment(partition)
        for record in batch.records:
            assignment.ledger.began(record.offset)
            self._enqueue(assignment, record)
        if self._queued >= self._queue_high and not self._is_full:
            self._is_full = True
            self.feed.hold()

    async def revoked(self, partitions: Collection[Partition]) -> None:
        """Queued records are dropped (the next owner has them); those in flight may finish."""
        leaving = [self._assignments.pop(p) for p in partitions if p in self._assignments]
        for assignment in leaving:
            assignment.revoked.set()
        try:
            async with asyncio.timeout(self._revoke_wait_seconds):
                for assignment in leaving:
                    await assignment.idle.wait()
        except TimeoutError:
            # Their effects are fenced by leases in the database; their offsets are no longer ours.
            for assignment in leaving:
                assignment.is_abandoned = True
            logger.warning(
                "kafka.revoked_with_work_in_flight",
                group=self.name,
                count=sum(assignment.in_flight for assignment in leaving),
            )

    # -- lanes --------------------------------------------------------------------------------

    def _enqueue(self, assignment: _Assignment, record: Record) -> None:
        lane = (assignment.partition, record.key)
        waiting = self._lanes.get(lane)
        self._queued += 1
        if waiting is not None:
            waiting.append((assignment, record))
            return
        self._lanes[lane] = deque([(assignment, record)])
        task = asyncio.create_task(self._run_lane(lane), name="kafka-lane")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_lane(self, lane: Lane) -> None:
        waiting = self._lanes[lane]
        try:
            while waiting:
                rests = self._rests.get(lane, set())
                if len(rests) >= RESTS_PER_LANE_MAX:
                    await asyncio.wait(rests, return_when=asyncio.FIRST_COMPLETED)
                    continue
                assignment, record = waiting[0]
                await self._finish(assignment, record)
                waiting.popleft()
                self._dequeued(1)
        finally:
            self._dequeued(len(waiting))
            del self._lanes[lane]

    def _dequeued(self, count: int) -> None:
        self._queued -= count
        if self._is_full and self._queued <= self._queue_high // 2 and self.fatal_reason is None:
            self._is_full = False
            self.feed.release()

    async def _finish(self, assignment: _Assignment, record: Record, *, attempts: int = 0) -> None:
        """Handle the record until it is done with, or no longer ours, or until only a rest of it
        is left, which goes on by itself."""
        while not assignment.revoked.is_set() and self.fatal_reason is None:
            async with AsyncExitStack() as held:
                await held.enter_async_context(self._slots)
                if assignment.revoked.is_set():
                    return
                attempts += 1
                assignment.enter()
                held.callback(assignment.leave)
                step = await self._attempt(record, attempts, self._handle)
                if step.rest is not None:
                    rest = self._end(assignment, record, attempts, step.rest, held.pop_all())
                    self._start_rest((assignment.partition, record.key), rest)
                    return
                if step.is_done:
                    self._note(assignment, record)
                    return
            await _wait(assignment.revoked, step.delay_seconds)

    def _start_rest(self, lane: Lane, rest: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(rest, name="kafka-rest")
        rests = self._rests.setdefault(lane, set())
        for tasks in (self._tasks, rests):
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        task.add_done_callback(lambda _: None if rests else self._rests.pop(lane, None))

    async def _end(
        self,
        assignment: _Assignment,
        record: Record,
        attempts: int,
        rest: Rest,
        held: AsyncExitStack,
    ) -> None:
        """The rest of a record, in the slot that it began in."""
        async with held:

            async def do_rest(_record: Record) -> None:
                await rest()

            step = await self._attempt(record, attempts, do_rest)
            if step.is_done:
                self._note(assignment, record)
                return
        await _wait(assignment.revoked, step.delay_seconds)
        await self._finish(assignment, record, attempts=attempts)

    def _note(self, assignment: _Assignment, record: Record) -> None:
        committable = assignment.ledger.finished(record.offset)
        if committable is not None and not assignment.is_abandoned:
            # Also while being revoked: the feed flushes when we are idle.
            self.feed.commits.note(assignment.partition, committable)

    async def _attempt(self, record: Record, attempts: int, handle: HandleRecord) -> _Step:
        try:
            rest = await handle(record)
        except asyncio.CancelledError as error:
            if _is_being_cancelled():
                raise
            failure: BaseException = error  # the handler's own; it must not end the lane
        except Exception as error:  # noqa: BLE001 - the policy decides
            failure = error
        else:
            return _Step(is_done=rest is None, rest=rest)
        finally:
            self._progress_at = asyncio.get_running_loop().time()
        verdict = self._policy.decide(failure_kind(failure), attempts)
        logger.warning(
            "kafka.record_failed",
            group=self.name,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            attempt=attempts,
            action=verdict.action,
            code=failure_code(failure),
        )
        if verdict.action is FailureAction.DEAD_LETTER:
            is_done, delay_seconds = await self._give_up(record, failure_code(failure), attempts)
            return _Step(is_done, delay_seconds)
        if verdict.action is FailureAction.STOP:
            self._stop_for_good(failure_code(failure))
        return _Step(delay_seconds=verdict.delay_seconds)

    async def _give_up(self, record: Record, reason: str, attempts: int) -> tuple[bool, float]:
        if not self._limit.allows_one_more(asyncio.get_running_loop().time()):
            self._stop_for_good("dead_letter_limit_exceeded")
            return False, 0.0
        for tries in itertools.count(1):
            try:
                await self._dead_letters.publish(record, reason=reason, attempts=attempts)
            except (BrokerUnavailable, RecordRejected) as error:
                # Never let go of it: without its letter it stays uncommitted, and we try on.
                logger.error("kafka.dead_letter_not_sent", group=self.name, error=error)
                await asyncio.sleep(self._policy.backoff.seconds(tries))
            else:
                return True, 0.0
            is_ours = Partition(record.topic, record.partition) in self._assignments
            if self.fatal_reason is not None or not is_ours:
                break
        return False, 0.0

    def _stop_for_good(self, reason: str) -> None:
        if self.fatal_reason is None:
            self.fatal_reason = reason
            logger.critical("kafka.consumer_stops", group=self.name, reason=reason)
            self.feed.hold()
            if self._on_stopped is not None:
                self._on_stopped(reason)


async def _wait(revoked: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await revoked.wait()
    except TimeoutError:
        pass


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
