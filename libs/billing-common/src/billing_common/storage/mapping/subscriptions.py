"""billing_subscriptions to `Subscription`, and back."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Row

from billing_common.domain.subscription import Subscription, SubscriptionStatus
from billing_common.storage.mapping.watermarks import watermark_from_row, watermark_values
from billing_common.storage.tables import billing_subscriptions as subscriptions

_columns = subscriptions.c

SUBSCRIPTION_COLUMNS: Final = (
    _columns.id,
    _columns.billable_entity_id,
    _columns.billing_customer_id,
    _columns.plan_id,
    _columns.provider,
    _columns.provider_subscription_id,
    _columns.status,
    _columns.provider_subscription_created_at,
    _columns.current_period_start,
    _columns.current_period_end,
    _columns.trial_end,
    _columns.cancel_at,
    _columns.canceled_at,
    _columns.ended_at,
    _columns.cancel_at_period_end,
    _columns.is_current,
    _columns.operation_key,
    _columns.last_provider_event_created_at,
    _columns.last_provider_event_id,
    _columns.row_version,
)


def subscription_from_row(row: Row[*tuple[Any, ...]]) -> Subscription:
    """A row selected with SUBSCRIPTION_COLUMNS."""
    return Subscription(
        id=row.id,
        billable_entity_id=row.billable_entity_id,
        billing_customer_id=row.billing_customer_id,
        plan_id=row.plan_id,
        provider=row.provider,
        provider_subscription_id=row.provider_subscription_id,
        status=SubscriptionStatus(row.status),
        provider_subscription_created_at=row.provider_subscription_created_at,
        current_period_start=row.current_period_start,
        current_period_end=row.current_period_end,
        trial_end=row.trial_end,
        cancel_at=row.cancel_at,
        canceled_at=row.canceled_at,
        ended_at=row.ended_at,
        cancel_at_period_end=bool(row.cancel_at_period_end),
        is_current=bool(row.is_current),
        operation_key=row.operation_key,
        watermark=watermark_from_row(row),
        row_version=row.row_version,
    )


def subscription_values(subscription: Subscription) -> dict[str, Any]:
    """Every column but `id`, `row_version` and the two timestamps, which the writer states."""
    return {
        "billable_entity_id": subscription.billable_entity_id,
        "billing_customer_id": subscription.billing_customer_id,
        "plan_id": subscription.plan_id,
        "provider": subscription.provider,
        "provider_subscription_id": subscription.provider_subscription_id,
        "status": subscription.status.value,
        "provider_subscription_created_at": subscription.provider_subscription_created_at,
        "current_period_start": subscription.current_period_start,
        "current_period_end": subscription.current_period_end,
        "trial_end": subscription.trial_end,
        "cancel_at": subscription.cancel_at,
        "canceled_at": subscription.canceled_at,
        "ended_at": subscription.ended_at,
        "cancel_at_period_end": subscription.cancel_at_period_end,
        "is_current": subscription.is_current,
        "operation_key": subscription.operation_key,
        **watermark_values(subscription.watermark),
    }
