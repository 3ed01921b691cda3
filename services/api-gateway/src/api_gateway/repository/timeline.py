"""One entity's history out of the tables that keep it, newest first, page by page.

A page is bound by (occurred_at, source, id) of the entry before it. `occurred_at` is when the row
changed last, so a row that changes while somebody pages moves to the front and is never shown
twice on the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, literal, null, or_, select

from billing_common.storage.tables import (
    billing_checkout_sessions,
    billing_invoices,
    billing_payments,
    billing_request_idempotency,
    billing_subscriptions,
    billing_webhook_events,
)
from billing_common.storage.transaction import ReadConnection

_operations = billing_request_idempotency.c
_sessions = billing_checkout_sessions.c
_subscriptions = billing_subscriptions.c
_invoices = billing_invoices.c
_payments = billing_payments.c
_events = billing_webhook_events.c


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRow:
    """`label`: the action, the event's type, or None. `reason`: a code, or None."""

    source: str
    id: int
    occurred_at: datetime
    status: str
    label: str | None
    reason: str | None
    operation_key: str | None
    provider_event_id: str | None


@dataclass(frozen=True, slots=True)
class After:
    """The last entry of the page before."""

    occurred_at: datetime
    source: str
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineFilter:
    """None means any. An operation row carries no provider event."""

    operation_key: str | None
    provider_event_id: str | None


@dataclass(frozen=True, slots=True)
class _Source:
    """Where one kind of entry comes from; the columns a TimelineRow is made of."""

    table: Any
    entity_id: ColumnElement[Any]
    id: ColumnElement[Any]
    occurred_at: ColumnElement[Any]
    status: ColumnElement[Any]
    label: ColumnElement[Any]
    reason: ColumnElement[Any]
    operation_key: ColumnElement[Any]
    provider_event_id: ColumnElement[Any] | None


_SOURCES: Final = {
    "checkout_session": _Source(
        billing_checkout_sessions,
        _sessions.billable_entity_id,
        _sessions.id,
        _sessions.updated_at,
        _sessions.status,
        _sessions.flow,
        null(),
        _sessions.operation_key,
        _sessions.last_provider_event_id,
    ),
    "idempotency": _Source(
        billing_request_idempotency,
        _operations.billable_entity_id,
        _operations.id,
        _operations.updated_at,
        _operations.status,
        _operations.action,
        _operations.failure_code,
        _operations.operation_key,
        None,
    ),
    "invoice": _Source(
        billing_invoices,
        _invoices.billable_entity_id,
        _invoices.id,
        _invoices.updated_at,
        _invoices.status,
        null(),
        null(),
        _invoices.operation_key,
        _invoices.last_provider_event_id,
    ),
    "payment": _Source(
        billing_payments.join(billing_invoices, _invoices.id == _payments.invoice_id),
        _invoices.billable_entity_id,
        _payments.id,
        _payments.updated_at,
        _payments.status,
        _payments.type,
        null(),
        _invoices.operation_key,
        _payments.last_provider_event_id,
    ),
    "subscription": _Source(
        billing_subscriptions,
        _subscriptions.billable_entity_id,
        _subscriptions.id,
        _subscriptions.updated_at,
        _subscriptions.status,
        null(),
        null(),
        _subscriptions.operation_key,
        _subscriptions.last_provider_event_id,
    ),
    "webhook": _Source(
        billing_webhook_events,
        _events.billable_entity_id,
        _events.id,
        _events.updated_at,
        _events.status,
        _events.event_type,
        _events.outcome_code,
        _events.operation_key,
        _events.provider_event_id,
    ),
}

SOURCE_NAMES: Final = tuple(_SOURCES)


async def find_entries(
    connection: ReadConnection,
    *,
    billable_entity_id: int,
    sources: Sequence[str],
    wanted: TimelineFilter,
    after: After | None,
    limit: int,
) -> Sequence[TimelineRow]:
    """The newest `limit` entries of these sources after the given place."""
    rows: list[TimelineRow] = []
    for name in sources:
        source = _SOURCES[name]
        if wanted.provider_event_id is not None and source.provider_event_id is None:
            continue
        query = _query(name, source, wanted).where(source.entity_id == billable_entity_id)
        if after is not None:
            query = query.where(_is_after(name, source, after))
        found = await connection.execute(query.limit(limit))
        rows += [TimelineRow(**row) for row in found.mappings()]
    rows.sort(key=lambda row: row.id, reverse=True)
    rows.sort(key=lambda row: row.source)
    rows.sort(key=lambda row: row.occurred_at, reverse=True)
    return rows[:limit]


def _query(name: str, source: _Source, wanted: TimelineFilter) -> Select[Any]:
    event_id = null() if source.provider_event_id is None else source.provider_event_id
    query = (
        select(
            literal(name).label("source"),
            source.id.label("id"),
            source.occurred_at.label("occurred_at"),
            source.status.label("status"),
            source.label.label("label"),
            source.reason.label("reason"),
            source.operation_key.label("operation_key"),
            event_id.label("provider_event_id"),
        )
        .select_from(source.table)
        .order_by(source.occurred_at.desc(), source.id.desc())
    )
    if wanted.operation_key is not None:
        query = query.where(source.operation_key == wanted.operation_key)
    if wanted.provider_event_id is not None and source.provider_event_id is not None:
        query = query.where(source.provider_event_id == wanted.provider_event_id)
    return query


def _is_after(name: str, source: _Source, after: After) -> ColumnElement[bool]:
    earlier = source.occurred_at < after.occurred_at
    same_moment = source.occurred_at == after.occurred_at
    if name < after.source:
        return earlier
    if name > after.source:
        return or_(earlier, same_moment)
    return or_(earlier, and_(same_moment, source.id < after.id))
