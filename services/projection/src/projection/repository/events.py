"""billing_webhook_events: which events were met, and what became of them.

The bytes stay in the log (topic, partition and offset say where); only an event that failed keeps
a copy here, so that it can be sent round again after the log has forgotten it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from billing_common.domain.webhook_event import EventStatus
from billing_common.storage.tables import billing_webhook_events as events
from billing_common.storage.transaction import WriteConnection
from projection.repository.set_writes import update_rows


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event met before."""

    id: int
    status: EventStatus
    attempt_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event and what projecting it led to. `payload` only when it failed."""

    known: KnownEvent | None
    provider: str
    provider_event_id: str
    billable_entity_id: int | None
    operation_key: str | None
    event_type: str
    object_id: str | None
    object_type: str | None
    api_version: str | None
    livemode: bool
    provider_created_at: datetime
    received_at: datetime
    status: EventStatus
    outcome_code: str | None
    error_text: str | None
    attempt_count: int
    next_attempt_at: datetime | None
    kafka_topic: str
    kafka_partition: int
    kafka_offset: int
    payload: bytes | None


async def find_known(
    connection: WriteConnection, *, provider: str, event_ids: Iterable[str]
) -> dict[str, KnownEvent]:
    """The events of `event_ids` that have a row, by event id; locked, because reconciler may be
    giving one up just now, and an event ends in one way only."""
    wanted = list(event_ids)
    if not wanted:
        return {}
    rows = await connection.execute(
        select(events.c.provider_event_id, events.c.id, events.c.status, events.c.attempt_count)
        .where(events.c.provider == provider, events.c.provider_event_id.in_(wanted))
        .order_by(events.c.id)
        .with_for_update()
    )
    return {
        row.provider_event_id: KnownEvent(row.id, EventStatus(row.status), row.attempt_count)
        for row in rows
    }


async def save_events(
    connection: WriteConnection, rows: Sequence[EventRow], *, now: datetime
) -> None:
    """Insert new events in one statement, update those met before. A rival's duplicate raises."""
    new = [_values(row, now) | {"created_at": now} for row in rows if row.known is None]
    if new:
        await connection.execute(insert(events), new)
    await update_rows(
        connection,
        events,
        [(row.known.id, _values(row, now)) for row in rows if row.known is not None],
    )


def _values(row: EventRow, now: datetime) -> dict[str, Any]:
    has_failed = row.status is EventStatus.FAILED
    return {
        "provider": row.provider,
        "provider_event_id": row.provider_event_id,
        "billable_entity_id": row.billable_entity_id,
        "operation_key": row.operation_key,
        "event_type": row.event_type,
        "object_id": row.object_id,
        "object_type": row.object_type,
        "api_version": row.api_version,
        "livemode": row.livemode,
        "provider_created_at": row.provider_created_at,
        "received_at": row.received_at,
        "status": row.status.value,
        "outcome_code": row.outcome_code,
        "error_text": row.error_text,
        "attempt_count": row.attempt_count,
        "next_attempt_at": row.next_attempt_at,
        "processed_at": None if has_failed else now,
        "last_failed_at": now if has_failed else None,
        "kafka_topic": row.kafka_topic,
        "kafka_partition": row.kafka_partition,
        "kafka_offset": row.kafka_offset,
        "payload": row.payload,
        "updated_at": now,
    }
