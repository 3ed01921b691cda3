"""billing_request_idempotency: claim, freeze, lease, finish. Finishing is compare-and-set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, text, update

from billing_common.domain.idempotency import (
    Action,
    FrozenRequest,
    Operation,
    OperationStatus,
)
from billing_common.storage.insert_once import Conflict, Inserted, insert_once
from billing_common.storage.mapping.operations import (
    OPERATION_COLUMNS,
    frozen_values,
    operation_from_row,
)
from billing_common.storage.tables import billing_request_idempotency as operations
from billing_common.storage.transaction import ReadConnection, WriteConnection

ENTITY_HAS_PENDING_CHECKOUT: Final = "uq_billing_request_idempotency_active_checkout_pending_key"
_CONFLICTS: Final = frozenset(
    {
        "uq_billing_request_idempotency_entity_action_client_key",
        "uq_billing_request_idempotency_action_operation",
        "uq_billing_request_idempotency_provider_key",
        ENTITY_HAS_PENDING_CHECKOUT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A new pending row, with a first lease."""

    billable_entity_id: int
    action: Action
    flow: str | None
    client_idempotency_key: str
    actor_user_id: str | None
    request_fingerprint_hash: str
    normalized_request: Mapping[str, Any]
    operation_key: str
    provider: str
    provider_idempotency_key: str
    lease_owner: str
    lease_expires_at: datetime
    now: datetime


async def mark_claim_point(connection: WriteConnection) -> None:
    """From here on a claim can be taken back without losing the locks before it."""
    await connection.execute(text("SAVEPOINT claim_point"))


async def take_back_claim(connection: WriteConnection) -> None:
    """As if the key had never been claimed: a transient block does not burn it."""
    await connection.execute(text("ROLLBACK TO SAVEPOINT claim_point"))


async def claim(connection: WriteConnection, new: Claim) -> Inserted | Conflict:
    """Insert first; a unique key says who was there before."""
    return await insert_once(
        connection,
        operations,
        {
            "billable_entity_id": new.billable_entity_id,
            "action": new.action.value,
            "flow": new.flow,
            "client_idempotency_key": new.client_idempotency_key,
            "actor_user_id": new.actor_user_id,
            "request_fingerprint_hash": new.request_fingerprint_hash,
            "normalized_request_json": dict(new.normalized_request),
            "operation_key": new.operation_key,
            "provider": new.provider,
            "provider_idempotency_key": new.provider_idempotency_key,
            "status": OperationStatus.PENDING.value,
            "lease_owner": new.lease_owner,
            "pending_lease_expires_at": new.lease_expires_at,
            "pending_last_heartbeat_at": new.now,
            "lease_version": 1,
            "recovery_attempt_count": 0,
            "created_at": new.now,
            "updated_at": new.now,
        },
        expected_conflicts=_CONFLICTS,
    )


async def lock_by_client_key(
    connection: WriteConnection,
    *,
    billable_entity_id: int,
    action: Action,
    client_idempotency_key: str,
) -> Operation | None:
    """The row of this client intent, locked."""
    rows = await connection.execute(
        select(*OPERATION_COLUMNS)
        .where(
            operations.c.billable_entity_id == billable_entity_id,
            operations.c.action == action.value,
            operations.c.client_idempotency_key == client_idempotency_key,
        )
        .with_for_update()
    )
    row = rows.one_or_none()
    return None if row is None else operation_from_row(row)


async def find_pending_checkout_key(
    connection: WriteConnection, *, billable_entity_id: int
) -> str | None:
    """The operation key of the entity's pending checkout."""
    rows = await connection.execute(
        select(operations.c.operation_key).where(
            operations.c.active_checkout_pending_key == billable_entity_id
        )
    )
    found: str | None = rows.scalar_one_or_none()
    return found


async def find_operation(connection: ReadConnection, *, row_id: int) -> Operation | None:
    """The row as it is now, unlocked: to be answered with, not decided on."""
    rows = await connection.execute(select(*OPERATION_COLUMNS).where(operations.c.id == row_id))
    row = rows.one_or_none()
    return None if row is None else operation_from_row(row)


async def find_by_client_key(
    connection: ReadConnection,
    *,
    billable_entity_id: int,
    action: Action,
    client_idempotency_key: str,
) -> Operation | None:
    """The row of this client intent, unlocked."""
    rows = await connection.execute(
        select(*OPERATION_COLUMNS).where(
            operations.c.billable_entity_id == billable_entity_id,
            operations.c.action == action.value,
            operations.c.client_idempotency_key == client_idempotency_key,
        )
    )
    row = rows.one_or_none()
    return None if row is None else operation_from_row(row)


async def freeze_request(
    connection: WriteConnection, *, row_id: int, frozen: FrozenRequest, now: datetime
) -> bool:
    """Fix the provider request; False when it was fixed before."""
    result = await connection.execute(
        update(operations)
        .where(
            operations.c.id == row_id,
            operations.c.status == OperationStatus.PENDING.value,
            operations.c.provider_request_hash.is_(None),
        )
        .values(**frozen_values(frozen), updated_at=now)
    )
    return result.rowcount == 1


async def take_lease(
    connection: WriteConnection,
    *,
    row_id: int,
    from_version: int,
    owner: str,
    expires_at: datetime,
    now: datetime,
) -> bool:
    """One more recovery: the version grows, so whoever had the lease before is fenced."""
    result = await connection.execute(
        update(operations)
        .where(
            operations.c.id == row_id,
            operations.c.status == OperationStatus.PENDING.value,
            operations.c.lease_version == from_version,
        )
        .values(
            lease_version=from_version + 1,
            lease_owner=owner,
            pending_lease_expires_at=expires_at,
            pending_last_heartbeat_at=now,
            recovery_attempt_count=operations.c.recovery_attempt_count + 1,
            last_recovery_attempt_at=now,
            updated_at=now,
        )
    )
    return result.rowcount == 1


async def next_provider_key(
    connection: WriteConnection,
    *,
    row_id: int,
    lease_version: int,
    from_attempt: int,
    provider_idempotency_key: str,
    now: datetime,
) -> bool:
    """The next key of the series, before it is sent. False: the row was not ours to change."""
    result = await connection.execute(
        update(operations)
        .where(
            operations.c.id == row_id,
            operations.c.status == OperationStatus.PENDING.value,
            operations.c.lease_version == lease_version,
            operations.c.provider_attempt == from_attempt,
        )
        .values(
            provider_attempt=from_attempt + 1,
            provider_idempotency_key=provider_idempotency_key,
            updated_at=now,
        )
    )
    return result.rowcount == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a pending operation ends. `response_body` is replayed byte for byte."""

    status: OperationStatus
    provider_session_id: str | None
    response_status: int
    response_body: str
    failure_code: str | None
    failure_reason: str | None


async def finish(
    connection: WriteConnection,
    *,
    row_id: int,
    lease_version: int,
    ending: Ending,
    now: datetime,
) -> bool:
    """Compare-and-set on status and lease version. False: the row was not ours to finish."""
    result = await connection.execute(
        update(operations)
        .where(
            operations.c.id == row_id,
            operations.c.status == OperationStatus.PENDING.value,
            operations.c.lease_version == lease_version,
        )
        .values(
            status=ending.status.value,
            provider_session_id=ending.provider_session_id,
            response_status=ending.response_status,
            response_body=ending.response_body.encode(),
            failure_code=ending.failure_code,
            failure_reason=ending.failure_reason,
            lease_owner=None,
            pending_lease_expires_at=None,
            pending_last_heartbeat_at=None,
            updated_at=now,
        )
    )
    return result.rowcount == 1
