"""billing_checkout_sessions: insert, or move the row that was read under lock."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, update

from billing_common.domain.checkout_session import CheckoutSession
from billing_common.storage.mapping.checkout_sessions import checkout_session_values
from billing_common.storage.tables import billing_checkout_sessions as sessions
from billing_common.storage.transaction import WriteConnection


async def save_session(
    connection: WriteConnection, session: CheckoutSession, *, now: datetime
) -> bool:
    """Insert when it has no id yet, else update the version that was read. False: it has moved."""
    values = checkout_session_values(session)
    if session.id is None:
        await connection.execute(
            insert(sessions).values(**values, row_version=1, created_at=now, updated_at=now)
        )
        return True
    result = await connection.execute(
        update(sessions)
        .where(sessions.c.id == session.id, sessions.c.row_version == session.row_version)
        .values(**values, row_version=session.row_version + 1, updated_at=now)
    )
    return result.rowcount == 1
