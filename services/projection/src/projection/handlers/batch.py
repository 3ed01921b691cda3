"""One batch of one partition: one transaction, one commit, then the feeds are told.

The offset is compared and set in the same transaction, so a batch is applied once however often
it is delivered. An event that fails is recorded as failed and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog

from billing_common.domain.webhook_event import EventStatus
from billing_common.messaging.errors import OffsetFenced, OffsetGap
from billing_common.messaging.records import PartitionBatch
from billing_common.observability.metrics import (
    EVENTS_PROJECTED,
    PROJECTION_BATCH_EVENTS,
    PROJECTION_FRESHNESS_SECONDS,
    guardrail,
)
from billing_common.storage.entity_locks import database_now
from billing_common.storage.transaction import Database, WriteConnection
from projection.decisions.event import NeedsTruth, ObjectRef, Outcome, RefusalCode, Refused, Truth
from projection.handlers.applying import save_states
from projection.handlers.folding import Folded, fold_batch
from projection.handlers.gathering import PROVIDER, gather
from projection.handlers.receive import Received, Unreadable, receive
from projection.handlers.recording import changed_states, event_row, queue_feeds
from projection.handlers.refusals import refusal_of
from projection.handlers.truth import TruthSource
from projection.handlers.unreadable import UnreadableRecords
from projection.repository import events, offsets

log = structlog.get_logger()

GROUP: Final = "projection.stripe-events"
# Each round can only meet ties that the round before made visible; more means somebody else writes.
TRUTH_ROUNDS_MAX: Final = 5

# Done with: an event in one of these is not looked at again, unless it is sent round on purpose.
_SETTLED: Final = frozenset({EventStatus.PROCESSED, EventStatus.IGNORED, EventStatus.DEAD_LETTER})


class DoubtRemains(Exception):  # noqa: N818 - a fact, and control flow out of the transaction
    """The batch meets a tie: roll back, fetch under these fences, run it again."""

    def __init__(self, fences: dict[ObjectRef, int]) -> None:
        super().__init__(f"{len(fences)} objects in doubt")
        self.fences = fences


@dataclass(slots=True)
class Knowledge:
    """What was learned outside the transaction, for its next run.

    `refusal`: the store has refused this one event before; record that instead of folding it.
    """

    refusal: Refused | None = None
    truths: dict[ObjectRef, Truth] = field(default_factory=dict)
    unavailable: set[ObjectRef] = field(default_factory=set)


class BatchProjector:
    """`group` is the consumer group as stored with offsets; `on_committed` wakes the feed relay."""

    def __init__(
        self,
        *,
        database: Database,
        truth: TruthSource,
        unreadable: UnreadableRecords,
        group: str,
        feed_shards: int,
        on_committed: Callable[[], None],
    ) -> None:
        self._database = database
        self._truth = truth
        self._unreadable = unreadable
        self._group = group
        self._feed_shards = feed_shards
        self._on_committed = on_committed

    async def load_offsets(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """Partition -> next offset, as stored."""
        async with self._database.read(name="load_offsets") as connection:
            found = await offsets.read_next_offsets(
                connection, group=self._group, partitions=[(topic, number) for number in partitions]
            )
        return {number: offset for (_, number), offset in found.items()}

    async def process(self, batch: PartitionBatch) -> None:
        """Make the batch durable. Raises OffsetGap or OffsetFenced (the consumer reads again),
        DatabaseUnavailable or CommitOutcomeUnknown (the same batch again)."""
        received: list[Received] = []
        for record in batch.records:
            one = receive(record)
            if isinstance(one, Unreadable):
                await self._unreadable.give_up(one)
            else:
                received.append(one)
        try:
            await self._project(batch, received)
        except Exception as error:
            if refusal_of(error) is None:
                raise
            # One of them cannot be projected; find out which, and go on without it.
            log.warning(
                "projection.batch_split",
                topic=batch.topic,
                partition=batch.partition,
                offset=batch.first_offset,
                records=len(batch.records),
                error=error,
            )
            await self._project_one_by_one(batch, received)
        self._on_committed()

    async def _project_one_by_one(
        self, batch: PartitionBatch, received: Sequence[Received]
    ) -> None:
        by_offset = {one.offset: one for one in received}
        for record in batch.records:
            single = PartitionBatch(batch.topic, batch.partition, (record,))
            one = by_offset.get(record.offset)
            try:
                await self._project(single, [one] if one else [])
            except Exception as error:
                refused = refusal_of(error)
                if one is None or refused is None:
                    raise
                await self._record_refusal(single, one, refused)

    async def _record_refusal(
        self, single: PartitionBatch, one: Received, refused: Refused
    ) -> None:
        try:
            await self._project(single, [one], refusal=refused)
        except Exception as error:
            if refusal_of(error) is None:
                raise
            # Not even its row can be written: the last place where it is kept whole.
            await self._unreadable.give_up(
                Unreadable(single.records[0], refused.code.value, type(error).__name__)
            )
            await self._project(single, [])

    async def _project(
        self,
        batch: PartitionBatch,
        received: Sequence[Received],
        *,
        refusal: Refused | None = None,
    ) -> None:
        knowledge = Knowledge(refusal=refusal)
        for _ in range(TRUTH_ROUNDS_MAX):
            try:
                outcomes = await self._database.write(
                    lambda connection: self._apply(connection, batch, received, knowledge),
                    name="project_batch",
                )
            except DoubtRemains as doubt:
                fetched = await self._truth.fetch(doubt.fences)
                knowledge.truths.update(fetched)
                knowledge.unavailable.update(set(doubt.fences) - set(fetched))
            else:
                _observe(outcomes)
                return
        raise OffsetFenced("another writer keeps changing the objects of this batch")

    async def _apply(
        self,
        connection: WriteConnection,
        batch: PartitionBatch,
        received: Sequence[Received],
        knowledge: Knowledge,
    ) -> list[tuple[Received, Outcome]]:
        due = await self._claim_offset(connection, batch)
        known = await events.find_known(
            connection, provider=PROVIDER, event_ids={one.headers.event_id for one in received}
        )
        todo = _not_settled(received, known, due)
        gathered = await gather(connection, todo, knowledge.truths.values())
        if knowledge.refusal is None:
            folded = fold_batch(
                todo, gathered, truths=knowledge.truths, unavailable=knowledge.unavailable
            )
        else:
            folded = Folded(
                outcomes=[(one, knowledge.refusal) for one in todo], states=dict(gathered.states)
            )
        if folded.fences:
            raise DoubtRemains(folded.fences)
        now = await database_now(connection)
        pairs = changed_states(gathered.states, folded.states)
        await save_states(connection, pairs, prices=gathered.prices, now=now)
        rows = [
            event_row(
                one,
                outcome,
                batch=batch,
                known=known.get(one.headers.event_id),
                state=gathered.states.get(one.customer_id or ""),
                now=now,
            )
            for one, outcome in folded.outcomes
        ]
        await events.save_events(connection, rows, now=now)
        announced = [after for _, after in pairs if after.changes]
        await queue_feeds(connection, announced, shards=self._feed_shards, now=now)
        return folded.outcomes

    async def _claim_offset(self, connection: WriteConnection, batch: PartitionBatch) -> int:
        """The first offset to apply; the stored offset then points behind the batch."""
        now = await database_now(connection)
        place = offsets.Place(self._group, batch.topic, batch.partition)
        stored = await offsets.lock_next_offset(connection, place)
        if stored is None:
            await offsets.begin_offset(connection, place, next_offset=batch.next_offset, now=now)
            return batch.first_offset
        if batch.first_offset > stored:
            guardrail("BILLING_EVENT_LOG_GAP")
            raise OffsetGap(stored)
        if batch.next_offset > stored and not await offsets.advance_offset(
            connection, place, expected=stored, next_offset=batch.next_offset, now=now
        ):
            raise OffsetFenced("the stored offset moved under its lock")
        return stored


def _not_settled(
    received: Sequence[Received], known: dict[str, events.KnownEvent], due: int
) -> list[Received]:
    """Each event once: neither already applied offsets, nor settled events, nor repeats."""
    todo: list[Received] = []
    seen: set[str] = set()
    for one in received:
        event_id = one.headers.event_id
        before = known.get(event_id)
        is_repeat = event_id in seen or (before is not None and _is_behind(one, before))
        if one.offset >= due and is_repeat:
            EVENTS_PROJECTED.labels(outcome="duplicate").inc()
        if one.offset < due or is_repeat:
            continue
        seen.add(event_id)
        todo.append(one)
    return todo


def _is_behind(one: Received, before: events.KnownEvent) -> bool:
    """It is settled, or this is a copy sent round for an attempt that has been made already:
    copies pile up while projection is down, and each would use up an attempt at once."""
    attempt = one.headers.retry_attempt
    return before.status in _SETTLED or (attempt is not None and attempt <= before.attempt_count)


def _observe(outcomes: Sequence[tuple[Received, Outcome]]) -> None:
    if not outcomes:
        return
    PROJECTION_BATCH_EVENTS.observe(len(outcomes))
    now = datetime.now(UTC)
    for one, outcome in outcomes:
        EVENTS_PROJECTED.labels(outcome=type(outcome).__name__.lower()).inc()
        PROJECTION_FRESHNESS_SECONDS.observe(
            max(0.0, (now - one.headers.received_at).total_seconds())
        )
        if isinstance(outcome, Refused):
            guardrail(
                "BILLING_CHECKOUT_CORRELATION_MISMATCH"
                if outcome.code is RefusalCode.CORRELATION_MISMATCH
                else "BILLING_WEBHOOK_PROCESSING_FAILED"
            )
            log.warning(
                "projection.event_refused",
                provider_event_id=one.headers.event_id,
                event_type=one.headers.event_type,
                code=outcome.code.value,
            )
        assert not isinstance(outcome, NeedsTruth)  # noqa: S101 - recording would have raised
