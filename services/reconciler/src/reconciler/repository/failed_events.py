"""Events that could not be folded: due ones are claimed before they are sent round again."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select, update

from billing_common.domain.webhook_event import EventStatus, FailedEvent
from billing_common.storage.entity_locks import database_now
from billing_common.storage.tables import billing_webhook_events as events
from billing_common.storage.transaction import ReadConnection, WriteConnection


async def count_due(connection: ReadConnection) -> int:
    """Failed events whose next attempt is due."""
    found = await connection.execute(
        select(func.count())
        .select_from(events)
        .where(
            events.c.status == EventStatus.FAILED.value,
            events.c.next_attempt_at <= func.utc_timestamp(6),
        )
    )
    return int(found.scalar_one())


async def claim_due(
    connection: WriteConnection, *, limit: int, claim: timedelta
) -> list[FailedEvent]:
    """Take the oldest due events; nobody else takes them until `claim` has passed.

    A process that dies after this costs one delay, never an event.
    """
    now = await database_now(connection)
    rows = (
        await connection.execute(
            select(events)
            .where(events.c.status == EventStatus.FAILED.value, events.c.next_attempt_at <= now)
            .order_by(events.c.next_attempt_at, events.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    ).all()
    if rows:
        await connection.execute(
            update(events)
            .where(events.c.id.in_([row.id for row in rows]))
            .values(next_attempt_at=now + claim, updated_at=now)
        )
    return [
        FailedEvent(
            row_id=row.id,
            provider_event_id=row.provider_event_id,
            event_type=row.event_type,
            object_id=row.object_id,
            api_version=row.api_version,
            livemode=bool(row.livemode),
            provider_created_at=row.provider_created_at,
            received_at=row.received_at,
            attempt_count=row.attempt_count,
            outcome_code=row.outcome_code,
            kafka_partition=row.kafka_partition,
            payload=row.payload,
        )
        for row in rows
    ]


async def mark_dead_letter(connection: WriteConnection, event: FailedEvent) -> bool:
    """Compare-and-set on status and attempts; False when projection has just dealt with it."""
    now = await database_now(connection)
    result = await connection.execute(
        update(events)
        .where(
            events.c.id == event.row_id,
            events.c.status == EventStatus.FAILED.value,
            events.c.attempt_count == event.attempt_count,
        )
        .values(status=EventStatus.DEAD_LETTER.value, next_attempt_at=None, updated_at=now)
    )
    return result.rowcount == 1
