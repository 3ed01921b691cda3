"""What an entity is subscribed to, and what it was billed for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import case, select

from billing_common.storage.tables import (
    billing_customers,
    billing_invoices,
    billing_payments,
    billing_plan_prices,
    billing_plans,
    billing_subscription_items,
    billing_subscriptions,
)
from billing_common.storage.transaction import ReadConnection

INVOICES_MAX: Final = 25

_subscriptions = billing_subscriptions.c
_plans = billing_plans.c
_items = billing_subscription_items.c
_prices = billing_plan_prices.c
_invoices = billing_invoices.c
_payments = billing_payments.c
_customers = billing_customers.c


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRow:
    """The entity's current subscription, without the provider's ids."""

    id: int
    status: str
    plan_id: int
    plan_code: str
    plan_name: str
    current_period_start: datetime | None
    current_period_end: datetime | None
    trial_end: datetime | None
    cancel_at: datetime | None
    canceled_at: datetime | None
    ended_at: datetime | None
    cancel_at_period_end: bool
    operation_key: str | None
    subscribed_at: datetime
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """One priced line of a subscription. Price columns are None for a price we do not know."""

    id: int
    billing_component: str
    usage_type: str
    quantity: int | None
    is_active: bool
    currency: str | None
    unit_amount_minor: int | None
    interval: str | None
    interval_count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRow:
    """Amounts in minor units of `currency`."""

    id: int
    subscription_id: int | None
    status: str
    amount_due_minor: int
    amount_paid_minor: int
    amount_remaining_minor: int
    currency: str
    issued_at: datetime | None
    due_at: datetime | None
    paid_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    """Amount in minor units of `currency`."""

    id: int
    invoice_id: int
    type: str
    status: str
    amount_minor: int
    currency: str
    paid_at: datetime | None
    created_at: datetime
    updated_at: datetime


async def find_current_subscription(
    connection: ReadConnection, billable_entity_id: int
) -> SubscriptionRow | None:
    """At most one row is current."""
    rows = await connection.execute(
        select(
            _subscriptions.id,
            _subscriptions.status,
            _subscriptions.plan_id,
            _plans.code.label("plan_code"),
            _plans.name.label("plan_name"),
            _subscriptions.current_period_start,
            _subscriptions.current_period_end,
            _subscriptions.trial_end,
            _subscriptions.cancel_at,
            _subscriptions.canceled_at,
            _subscriptions.ended_at,
            _subscriptions.cancel_at_period_end,
            _subscriptions.operation_key,
            _subscriptions.provider_subscription_created_at.label("subscribed_at"),
            _subscriptions.created_at,
            _subscriptions.updated_at,
        )
        .join(billing_plans, _plans.id == _subscriptions.plan_id)
        .where(_subscriptions.current_subscription_key == billable_entity_id)
    )
    row = rows.mappings().one_or_none()
    return None if row is None else SubscriptionRow(**row)


async def has_customer(connection: ReadConnection, billable_entity_id: int) -> bool:
    """Whether the provider knows this entity."""
    found = await connection.execute(
        select(_customers.id).where(_customers.billable_entity_id == billable_entity_id).limit(1)
    )
    return found.first() is not None


async def find_items(connection: ReadConnection, subscription_id: int) -> Sequence[ItemRow]:
    """Active and former lines, oldest first."""
    rows = await connection.execute(
        select(
            _items.id,
            _items.billing_component,
            _items.usage_type,
            _items.quantity,
            _items.is_active,
            _prices.currency,
            _prices.unit_amount_minor,
            _prices.interval,
            _prices.interval_count,
        )
        .outerjoin(billing_plan_prices, _prices.id == _items.billing_plan_price_id)
        .where(_items.subscription_id == subscription_id)
        .order_by(_items.id)
    )
    return [ItemRow(**row) for row in rows.mappings()]


async def find_invoices(
    connection: ReadConnection, billable_entity_id: int
) -> Sequence[InvoiceRow]:
    """The newest INVOICES_MAX of the entity, newest first, also those of earlier subscriptions."""
    issued = case((_invoices.issued_at.is_(None), _invoices.created_at), else_=_invoices.issued_at)
    rows = await connection.execute(
        select(
            _invoices.id,
            _invoices.subscription_id,
            _invoices.status,
            _invoices.amount_due_minor,
            _invoices.amount_paid_minor,
            _invoices.amount_remaining_minor,
            _invoices.currency,
            _invoices.issued_at,
            _invoices.due_at,
            _invoices.paid_at,
            _invoices.created_at,
            _invoices.updated_at,
        )
        .where(_invoices.billable_entity_id == billable_entity_id)
        .order_by(issued.desc(), _invoices.id.desc())
        .limit(INVOICES_MAX)
    )
    return [InvoiceRow(**row) for row in rows.mappings()]


async def find_payments(
    connection: ReadConnection, invoice_ids: Sequence[int]
) -> Sequence[PaymentRow]:
    """The payments of these invoices, newest first."""
    if not invoice_ids:
        return []
    rows = await connection.execute(
        select(
            _payments.id,
            _payments.invoice_id,
            _payments.type,
            _payments.status,
            _payments.amount_minor,
            _payments.currency,
            _payments.paid_at,
            _payments.created_at,
            _payments.updated_at,
        )
        .where(_payments.invoice_id.in_(invoice_ids))
        .order_by(_payments.id.desc())
    )
    return [PaymentRow(**row) for row in rows.mappings()]
