"""Rows of billing_subscriptions, their items, and remediations for duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from billing_common.domain.canonical_subscription import ALGORITHM_VERSION
from billing_common.domain.catalogue import PlanPrice
from billing_common.domain.subscription import Subscription, SubscriptionItem
from billing_common.storage.insert_once import insert_once
from billing_common.storage.mapping.subscriptions import subscription_values
from billing_common.storage.tables import (
    billing_subscription_items,
    billing_subscription_remediations,
    billing_subscriptions,
)
from billing_common.storage.transaction import WriteConnection
from projection.repository.set_writes import update_rows

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


async def save_subscriptions(
    connection: WriteConnection, rows: Sequence[Subscription], *, now: datetime
) -> dict[str, int]:
    """Insert new subscriptions in one statement, update the others; row ids by provider id."""
    t = billing_subscriptions
    new = [row for row in rows if row.id is None]
    ids = {row.provider_subscription_id: row.id for row in rows if row.id is not None}
    if new:
        await connection.execute(
            insert(t), [{**_values(row, now), "created_at": now} for row in new]
        )
        found = await connection.execute(
            select(t.c.provider_subscription_id, t.c.id).where(
                t.c.provider == new[0].provider,
                t.c.provider_subscription_id.in_([row.provider_subscription_id for row in new]),
            )
        )
        ids.update({row.provider_subscription_id: row.id for row in found})
    await update_rows(
        connection, t, [(row.id, _values(row, now)) for row in rows if row.id is not None]
    )
    return ids


def _values(row: Subscription, now: datetime) -> dict[str, Any]:
    return {**subscription_values(row), "row_version": row.row_version + 1, "updated_at": now}


async def replace_items(
    connection: WriteConnection,
    items_of: Mapping[int, Sequence[SubscriptionItem]],
    *,
    provider: str,
    prices: Mapping[str, PlanPrice],
    now: datetime,
) -> None:
    """Per subscription row id: the items become exactly these. Those no longer named become
    inactive, never deleted; those that are equal already are not written.

    Items have no order of their own: their subscription's watermark is theirs.
    """
    if not items_of:
        return
    t = billing_subscription_items
    stored = await connection.execute(
        select(t).where(t.c.subscription_id.in_(list(items_of))).order_by(t.c.id).with_for_update()
    )
    known = {row.provider_subscription_item_id: row for row in stored}
    new: list[dict[str, Any]] = []
    changed: list[tuple[int, dict[str, Any]]] = []
    for subscription_id, items in items_of.items():
        for item in items:
            values = _item_values(item, subscription_id, prices)
            row = known.pop(item.provider_subscription_item_id, None)
            if row is None:
                new.append(
                    {
                        **values,
                        "provider": provider,
                        "provider_subscription_item_id": item.provider_subscription_item_id,
                        "created_at": now,
                        "updated_at": now,
                    }
                )
            elif any(getattr(row, name) != value for name, value in values.items()):
                changed.append((row.id, {**values, "updated_at": now}))
    if new:
        await connection.execute(insert(t), new)
    await update_rows(connection, t, changed)
    gone = [(row.id, {"is_active": False, "updated_at": now}) for row in known.values()]
    await update_rows(connection, t, gone)


def _item_values(
    item: SubscriptionItem, subscription_id: int, prices: Mapping[str, PlanPrice]
) -> dict[str, Any]:
    price = prices.get(item.provider_price_id)
    return {
        "subscription_id": subscription_id,
        "billing_plan_price_id": price.billing_plan_price_id if price else None,
        "billing_component": price.billing_component if price else "base",
        "usage_type": price.usage_type if price else "licensed",
        "provider_price_id": item.provider_price_id,
        "quantity": item.quantity,
        "current_period_start": item.current_period_start,
        "current_period_end": item.current_period_end,
        "is_active": True,
    }


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
