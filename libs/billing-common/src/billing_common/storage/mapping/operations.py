"""billing_request_idempotency to `Operation`."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Row

from billing_common.domain.idempotency import Action, FrozenRequest, Operation, OperationStatus
from billing_common.storage.tables import billing_request_idempotency as operations

_columns = operations.c

# What `operation_from_row` reads; the normalised request and the failure text stay in the table.
OPERATION_COLUMNS: Final = (
    _columns.id,
    _columns.billable_entity_id,
    _columns.action,
    _columns.flow,
    _columns.client_idempotency_key,
    _columns.request_fingerprint_hash,
    _columns.operation_key,
    _columns.provider,
    _columns.provider_idempotency_key,
    _columns.provider_attempt,
    _columns.status,
    _columns.lease_version,
    _columns.lease_owner,
    _columns.pending_lease_expires_at,
    _columns.recovery_attempt_count,
    _columns.provider_request_params,
    _columns.provider_request_hash,
    _columns.provider_request_schema_version,
    _columns.provider_sdk_name,
    _columns.provider_sdk_version,
    _columns.provider_api_version,
    _columns.provider_request_frozen_at,
    _columns.provider_idempotency_replay_deadline_at,
    _columns.provider_checkout_session_expires_at_upper_bound,
    _columns.provider_session_id,
    _columns.response_status,
    _columns.response_body,
    _columns.failure_code,
    _columns.created_at,
)


def operation_from_row(row: Row[*tuple[Any, ...]]) -> Operation:
    """A row selected with OPERATION_COLUMNS."""
    return Operation(
        id=row.id,
        billable_entity_id=row.billable_entity_id,
        action=Action(row.action),
        flow=row.flow,
        client_idempotency_key=row.client_idempotency_key,
        request_fingerprint_hash=row.request_fingerprint_hash,
        operation_key=row.operation_key,
        provider=row.provider,
        provider_idempotency_key=row.provider_idempotency_key,
        provider_attempt=row.provider_attempt,
        status=OperationStatus(row.status),
        lease_version=row.lease_version,
        lease_owner=row.lease_owner,
        lease_expires_at=row.pending_lease_expires_at,
        recovery_attempt_count=row.recovery_attempt_count,
        frozen=_frozen_from_row(row),
        provider_session_id=row.provider_session_id,
        response_status=row.response_status,
        response_body=None if row.response_body is None else bytes(row.response_body),
        failure_code=row.failure_code,
        created_at=row.created_at,
    )


def frozen_values(frozen: FrozenRequest) -> dict[str, Any]:
    """The columns of a frozen request, written once."""
    return {
        "provider_request_params": frozen.params_json,
        "provider_request_hash": frozen.params_hash,
        "provider_request_schema_version": frozen.schema_version,
        "provider_sdk_name": frozen.sdk_name,
        "provider_sdk_version": frozen.sdk_version,
        "provider_api_version": frozen.api_version,
        "provider_request_frozen_at": frozen.frozen_at,
        "provider_idempotency_replay_deadline_at": frozen.replay_deadline_at,
        "provider_checkout_session_expires_at_upper_bound": frozen.session_expires_at_upper_bound,
    }


def _frozen_from_row(row: Row[*tuple[Any, ...]]) -> FrozenRequest | None:
    """None unless every part is there: a request that is only partly known cannot be replayed."""
    parts = (
        row.provider_request_params,
        row.provider_request_hash,
        row.provider_request_schema_version,
        row.provider_sdk_name,
        row.provider_sdk_version,
        row.provider_api_version,
        row.provider_request_frozen_at,
        row.provider_idempotency_replay_deadline_at,
        row.provider_checkout_session_expires_at_upper_bound,
    )
    if any(part is None for part in parts):
        return None
    return FrozenRequest(
        params_json=row.provider_request_params,
        params_hash=row.provider_request_hash,
        schema_version=row.provider_request_schema_version,
        sdk_name=row.provider_sdk_name,
        sdk_version=row.provider_sdk_version,
        api_version=row.provider_api_version,
        frozen_at=row.provider_request_frozen_at,
        replay_deadline_at=row.provider_idempotency_replay_deadline_at,
        session_expires_at_upper_bound=row.provider_checkout_session_expires_at_upper_bound,
    )
