"""Pending operations that nobody works on. Read only: checkout owns the rows."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, func, or_, select

from billing_common.domain.idempotency import OperationStatus, StalledOperation
from billing_common.storage.tables import billing_request_idempotency as operations
from billing_common.storage.transaction import ReadConnection


def _is_stalled() -> ColumnElement[bool]:
    lease = operations.c.pending_lease_expires_at
    return and_(
        operations.c.status == OperationStatus.PENDING.value,
        or_(lease.is_(None), lease <= func.utc_timestamp(6)),
    )


async def find_stalled(
    connection: ReadConnection, *, limit: int, offset: int = 0
) -> list[StalledOperation]:
    """Those whose lease ended first come first; `offset` of them are passed over."""
    rows = await connection.execute(
        select(
            operations.c.id,
            operations.c.billable_entity_id,
            operations.c.operation_key,
            operations.c.lease_version,
        )
        .where(_is_stalled())
        .order_by(operations.c.pending_lease_expires_at, operations.c.id)
        .limit(limit)
        .offset(offset)
    )
    return [
        StalledOperation(row.id, row.billable_entity_id, row.operation_key, row.lease_version)
        for row in rows
    ]
