"""billing_checkout_sessions to `CheckoutSession`, and back."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Row

from billing_common.domain.checkout_session import CheckoutSession, SessionFlow, SessionStatus
from billing_common.storage.mapping.watermarks import watermark_from_row, watermark_values
from billing_common.storage.tables import billing_checkout_sessions as sessions

_columns = sessions.c

CHECKOUT_SESSION_COLUMNS: Final = (
    _columns.id,
    _columns.billable_entity_id,
    _columns.provider,
    _columns.flow,
    _columns.operation_key,
    _columns.idempotency_row_id,
    _columns.provider_checkout_session_id,
    _columns.provider_customer_id,
    _columns.provider_subscription_id,
    _columns.status,
    _columns.checkout_url,
    _columns.expires_at,
    _columns.completed_at,
    _columns.last_provider_event_created_at,
    _columns.last_provider_event_id,
    _columns.row_version,
)


def checkout_session_from_row(row: Row[*tuple[Any, ...]]) -> CheckoutSession:
    """A row selected with CHECKOUT_SESSION_COLUMNS."""
    return CheckoutSession(
        id=row.id,
        billable_entity_id=row.billable_entity_id,
        provider=row.provider,
        flow=SessionFlow(row.flow),
        operation_key=row.operation_key,
        idempotency_row_id=row.idempotency_row_id,
        provider_checkout_session_id=row.provider_checkout_session_id,
        provider_customer_id=row.provider_customer_id,
        provider_subscription_id=row.provider_subscription_id,
        status=SessionStatus(row.status),
        checkout_url=row.checkout_url,
        expires_at=row.expires_at,
        completed_at=row.completed_at,
        watermark=watermark_from_row(row),
        row_version=row.row_version,
    )


def checkout_session_values(session: CheckoutSession) -> dict[str, Any]:
    """Every column but `id`, `row_version` and the two timestamps, which the writer states."""
    return {
        "billable_entity_id": session.billable_entity_id,
        "provider": session.provider,
        "flow": session.flow.value,
        "operation_key": session.operation_key,
        "idempotency_row_id": session.idempotency_row_id,
        "provider_checkout_session_id": session.provider_checkout_session_id,
        "provider_customer_id": session.provider_customer_id,
        "provider_subscription_id": session.provider_subscription_id,
        "status": session.status.value,
        "checkout_url": session.checkout_url,
        "expires_at": session.expires_at,
        "completed_at": session.completed_at,
        **watermark_values(session.watermark),
    }
