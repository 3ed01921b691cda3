"""Rows of billing_invoices and billing_payments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from billing_common.domain.invoice import Invoice, Payment, PaymentStatus
from billing_common.domain.ordering import Watermark
from billing_common.storage.mapping.watermarks import watermark_from_row, watermark_values
from billing_common.storage.tables import billing_invoices, billing_payments
from billing_common.storage.transaction import WriteConnection
from projection.repository.set_writes import update_rows

_PAYMENT_TYPE = "invoice_payment"

# Row ids of subscriptions by entity and provider subscription id.
SubscriptionIds = Mapping[tuple[int, str], int]


async def lock_invoices(
    connection: WriteConnection, *, provider: str, invoice_ids: Iterable[str]
) -> list[Invoice]:
    """The stored invoices of `invoice_ids`, locked in id order."""
    wanted = list(invoice_ids)
    if not wanted:
        return []
    t = billing_invoices
    rows = await connection.execute(
        select(t)
        .where(t.c.provider == provider, t.c.provider_invoice_id.in_(wanted))
        .order_by(t.c.id)
        .with_for_update()
    )
    return [
        Invoice(
            id=row.id,
            billable_entity_id=row.billable_entity_id,
            billing_customer_id=row.billing_customer_id,
            subscription_id=row.subscription_id,
            provider=row.provider,
            provider_invoice_id=row.provider_invoice_id,
            provider_subscription_id=row.provider_subscription_id,
            status=row.status,
            currency=row.currency,
            amount_due_minor=row.amount_due_minor,
            amount_paid_minor=row.amount_paid_minor,
            amount_remaining_minor=row.amount_remaining_minor,
            issued_at=row.issued_at,
            due_at=row.due_at,
            paid_at=row.paid_at,
            operation_key=row.operation_key,
            watermark=watermark_from_row(row),
            row_version=row.row_version,
        )
        for row in rows
    ]


async def lock_payments(
    connection: WriteConnection, *, provider: str, payment_ids: Iterable[str]
) -> list[Payment]:
    """The stored attempts of `payment_ids`, locked in id order."""
    wanted = list(payment_ids)
    if not wanted:
        return []
    t, i = billing_payments, billing_invoices
    rows = await connection.execute(
        select(t, i.c.provider_invoice_id)
        .join_from(t, i, t.c.invoice_id == i.c.id)
        .where(t.c.provider == provider, t.c.provider_payment_id.in_(wanted))
        .order_by(t.c.id)
        .with_for_update()
    )
    return [
        Payment(
            id=row.id,
            provider=row.provider,
            provider_invoice_id=row.provider_invoice_id,
            provider_payment_id=row.provider_payment_id,
            status=PaymentStatus(row.status),
            currency=row.currency,
            amount_minor=row.amount_minor,
            paid_at=row.paid_at,
            watermark=Watermark(row.last_provider_event_created_at, row.last_provider_event_id),
        )
        for row in rows
    ]


async def save_invoices(
    connection: WriteConnection,
    rows: Sequence[Invoice],
    *,
    subscription_ids: SubscriptionIds,
    now: datetime,
) -> dict[str, int]:
    """Insert new invoices in one statement, update the others; row ids by provider invoice id.

    A link to a subscription, once there, stays; it never leads to another entity's.
    """
    new = [_invoice_values(row, subscription_ids, now) for row in rows if row.id is None]
    ids = {row.provider_invoice_id: row.id for row in rows if row.id is not None}
    t = billing_invoices
    if new:
        await connection.execute(insert(t), [{**values, "created_at": now} for values in new])
        found = await connection.execute(
            select(t.c.provider_invoice_id, t.c.id).where(
                t.c.provider == new[0]["provider"],
                t.c.provider_invoice_id.in_([values["provider_invoice_id"] for values in new]),
            )
        )
        ids.update({row.provider_invoice_id: row.id for row in found})
    await update_rows(
        connection,
        t,
        [
            (row.id, _invoice_values(row, subscription_ids, now))
            for row in rows
            if row.id is not None
        ],
    )
    return ids


def _invoice_values(
    row: Invoice, subscription_ids: SubscriptionIds, now: datetime
) -> dict[str, Any]:
    named = (row.billable_entity_id, row.provider_subscription_id or "")
    return {
        "subscription_id": subscription_ids.get(named) or row.subscription_id,
        "billable_entity_id": row.billable_entity_id,
        "billing_customer_id": row.billing_customer_id,
        "provider": row.provider,
        "provider_invoice_id": row.provider_invoice_id,
        "provider_subscription_id": row.provider_subscription_id,
        "status": row.status,
        "currency": row.currency,
        "amount_due_minor": row.amount_due_minor,
        "amount_paid_minor": row.amount_paid_minor,
        "amount_remaining_minor": row.amount_remaining_minor,
        "issued_at": row.issued_at,
        "due_at": row.due_at,
        "paid_at": row.paid_at,
        "operation_key": row.operation_key,
        **watermark_values(row.watermark),
        "row_version": row.row_version + 1,
        "updated_at": now,
    }


async def link_invoices(
    connection: WriteConnection,
    *,
    billable_entity_id: int,
    provider: str,
    provider_subscription_id: str,
    subscription_id: int,
) -> None:
    """Invoices that came before their subscription get the link they could not have then."""
    t = billing_invoices
    await connection.execute(
        update(t)
        .where(
            t.c.billable_entity_id == billable_entity_id,
            t.c.provider == provider,
            t.c.provider_subscription_id == provider_subscription_id,
            t.c.subscription_id.is_(None),
        )
        .values(subscription_id=subscription_id)
    )


async def save_payments(
    connection: WriteConnection,
    rows: Sequence[Payment],
    *,
    invoice_ids: Mapping[str, int],
    now: datetime,
) -> None:
    """Insert new attempts in one statement, update the others."""
    t = billing_payments
    new = [row for row in rows if row.id is None]
    if new:
        await connection.execute(
            insert(t),
            [
                {
                    **_payment_values(row, now),
                    "invoice_id": invoice_ids[row.provider_invoice_id],
                    "provider": row.provider,
                    "provider_payment_id": row.provider_payment_id,
                    "type": _PAYMENT_TYPE,
                    "created_at": now,
                }
                for row in new
            ],
        )
    await update_rows(
        connection, t, [(row.id, _payment_values(row, now)) for row in rows if row.id is not None]
    )


def _payment_values(row: Payment, now: datetime) -> dict[str, Any]:
    return {
        "status": row.status.value,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "paid_at": row.paid_at,
        **watermark_values(row.watermark),
        "updated_at": now,
    }
