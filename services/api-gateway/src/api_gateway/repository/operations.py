"""Operations as their callers ask for them: by client key, or by our public key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, func, select

from billing_common.domain.checkout_session import CheckoutSession
from billing_common.domain.idempotency import Operation
from billing_common.storage.mapping.checkout_sessions import (
    CHECKOUT_SESSION_COLUMNS,
    checkout_session_from_row,
)
from billing_common.storage.mapping.operations import OPERATION_COLUMNS, operation_from_row
from billing_common.storage.tables import billing_checkout_sessions, billing_request_idempotency
from billing_common.storage.transaction import ReadConnection

_operations = billing_request_idempotency.c
_sessions = billing_checkout_sessions.c


@dataclass(frozen=True, slots=True)
class ReadOperation:
    """An operation, when it changed last, and the database's clock at reading."""

    operation: Operation
    updated_at: datetime
    read_at: datetime


async def find_by_client_key(
    connection: ReadConnection, *, billable_entity_id: int, action: str, client_key: str
) -> ReadOperation | None:
    """Keys are scoped by entity and action, and compared byte for byte."""
    found = await connection.execute(
        _query().where(
            _operations.billable_entity_id == billable_entity_id,
            _operations.action == action,
            _operations.client_idempotency_key == client_key,
        )
    )
    return _read(found.one_or_none())


async def find_by_operation_key(
    connection: ReadConnection, operation_key: str
) -> ReadOperation | None:
    """The operation of this name, of whatever entity: the caller's right to it is not checked."""
    found = await connection.execute(_query().where(_operations.operation_key == operation_key))
    return _read(found.first())


async def find_session(connection: ReadConnection, operation_key: str) -> CheckoutSession | None:
    """The checkout session that the operation opened, when there is one."""
    found = await connection.execute(
        select(*CHECKOUT_SESSION_COLUMNS).where(_sessions.operation_key == operation_key)
    )
    row = found.first()
    return None if row is None else checkout_session_from_row(row)


def _query() -> Any:
    return select(
        *OPERATION_COLUMNS, _operations.updated_at, func.utc_timestamp(6).label("read_at")
    )


def _read(row: Row[*tuple[Any, ...]] | None) -> ReadOperation | None:
    if row is None:
        return None
    return ReadOperation(operation_from_row(row), row.updated_at, row.read_at.replace(tzinfo=UTC))
