"""Rows of billing_subscriptions, their items, and remediations for duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import insert, select, update

from billing_common.domain.canonical_subscription import ALGORITHM_VERSION
from billing_common.domain.catalogue import PlanPrice
from billing_common.domain.subscription import Subscription, SubscriptionItem
from billing_common.storage.insert_once import insert_once
from billing_common.storage.mapping.subscriptions import subscription_values
from billing_common.storage.mapping.watermarks import watermark_values
from billing_common.storage.tables import (
    billing_subscription_items,
    billing_subscription_remediations,
    billing_subscriptions,
)
from billing_common.storage.transaction import WriteConnection

_DUPLICATE = frozenset({"uq_billing_subscription_remediations_duplicate_action"})


async def clear_current(connection: WriteConnection, row_ids: Iterable[int]) -> None:
    """Take the flag away first: the unique key allows one current row at every moment."""
    wanted = list(row_ids)
    if wanted:
        await connection.execute(
            update(billing_subscriptions)
            .where(billing_subscriptions.c.id.in_(wanted))
            .values(is_current=False)
        )


async def save_subscription(
    connection: WriteConnection, row: Subscription, *, now: datetime
) -> int:
    """Insert or update one subscription; its row id."""
    t = billing_subscriptions
    values = {
        **subscription_values(row),
        "row_version": row.row_version + 1,
        "updated_at": now,
    }
    if row.id is None:
        inserted = await connection.execute(insert(t).values(**values, created_at=now))
        return int(inserted.lastrowid)
    await connection.execute(update(t).where(t.c.id == row.id).values(**values))
    return row.id


async def replace_items(
    connection: WriteConnection,
    *,
    subscription: Subscription,
    subscription_id: int,
    items: Sequence[SubscriptionItem],
    prices: Mapping[str, PlanPrice],
    now: datetime,
) -> None:
    """The items become exactly `items`; those no longer named become inactive, never deleted."""
    t = billing_subscription_items
    stored = await connection.execute(
        select(t.c.id, t.c.provider_subscription_item_id, t.c.is_active)
        .where(t.c.subscription_id == subscription_id)
        .order_by(t.c.id)
        .with_for_update()
    )
    known = {row.provider_subscription_item_id: row for row in stored}
    for item in items:
        price = prices.get(item.provider_price_id)
        values = {
            "billing_plan_price_id": price.billing_plan_price_id if price else None,
            "billing_component": price.billing_component if price else "base",
            "usage_type": price.usage_type if price else "licensed",
            "provider_price_id": item.provider_price_id,
            "quantity": item.quantity,
            "current_period_start": item.current_period_start,
            "current_period_end": item.current_period_end,
            "is_active": True,
            **watermark_values(subscription.watermark),
            "updated_at": now,
        }
        row = known.pop(item.provider_subscription_item_id, None)
        if row is None:
            await connection.execute(
                insert(t).values(
                    **values,
                    subscription_id=subscription_id,
                    provider=subscription.provider,
                    provider_subscription_item_id=item.provider_subscription_item_id,
                    created_at=now,
                )
            )
        else:
            await connection.execute(
                update(t).where(t.c.id == row.id).values(**values, row_version=t.c.row_version + 1)
            )
    gone = [row.id for row in known.values() if row.is_active]
    if gone:
        await connection.execute(
            update(t).where(t.c.id.in_(gone)).values(is_active=False, updated_at=now)
        )


async def request_remediation(
    connection: WriteConnection,
    *,
    canonical: Subscription,
    canonical_id: int,
    duplicate: Subscription,
    provider_event_id: str,
    now: datetime,
) -> None:
    """Ask for a second look at `duplicate`. Asked before: nothing to do. Nothing is cancelled."""
    await insert_once(
        connection,
        billing_subscription_remediations,
        {
            "billable_entity_id": duplicate.billable_entity_id,
            "provider": duplicate.provider,
            "operation_key": duplicate.operation_key,
            "provider_event_id": provider_event_id,
            "canonical_provider_subscription_id": canonical.provider_subscription_id,
            "canonical_subscription_id": canonical_id,
            "duplicate_provider_subscription_id": duplicate.provider_subscription_id,
            "status": "pending",
            "selection_algorithm_version": ALGORITHM_VERSION,
            "next_attempt_at": now,
            "created_at": now,
            "updated_at": now,
        },
        expected_conflicts=_DUPLICATE,
    )
