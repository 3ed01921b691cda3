"""Rows of billing_checkout_sessions and the operations that an event may finish."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, update

from billing_common.domain.checkout_session import CheckoutSession
from billing_common.domain.idempotency import Operation, OperationStatus
from billing_common.storage.mapping.checkout_sessions import checkout_session_values
from billing_common.storage.tables import (
    billing_checkout_sessions,
    billing_request_idempotency,
)
from billing_common.storage.transaction import WriteConnection


async def save_session(connection: WriteConnection, row: CheckoutSession, *, now: datetime) -> None:
    """Insert or update one session."""
    t = billing_checkout_sessions
    values = {
        **checkout_session_values(row),
        "row_version": row.row_version + 1,
        "updated_at": now,
    }
    if row.id is None:
        await connection.execute(insert(t).values(**values, created_at=now))
    else:
        await connection.execute(update(t).where(t.c.id == row.id).values(**values))


async def finish_operation(
    connection: WriteConnection, before: Operation, after: Operation, *, now: datetime
) -> bool:
    """Compare-and-set on status and lease version; False when somebody else finished it."""
    t = billing_request_idempotency
    result = await connection.execute(
        update(t)
        .where(
            t.c.id == before.id,
            t.c.status == OperationStatus.PENDING.value,
            t.c.lease_version == before.lease_version,
        )
        .values(
            status=after.status.value,
            lease_version=after.lease_version,
            lease_owner=None,
            pending_lease_expires_at=None,
            pending_last_heartbeat_at=None,
            provider_session_id=after.provider_session_id,
            response_status=after.response_status,
            response_body=after.response_body,
            failure_code=after.failure_code,
            updated_at=now,
        )
    )
    return result.rowcount == 1
