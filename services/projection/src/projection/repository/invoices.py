"""Rows of billing_invoices and billing_payments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import insert, select, update

from billing_common.domain.invoice import Invoice, Payment, PaymentStatus
from billing_common.domain.ordering import Watermark
from billing_common.storage.mapping.watermarks import watermark_from_row, watermark_values
from billing_common.storage.tables import billing_invoices, billing_payments
from billing_common.storage.transaction import WriteConnection

_PAYMENT_TYPE = "invoice_payment"


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


async def save_invoice(
    connection: WriteConnection, row: Invoice, *, subscription_id: int | None, now: datetime
) -> int:
    """Insert or update one invoice; its row id. `subscription_id` stays when already known."""
    values = {
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
    if subscription_id is not None:
        values["subscription_id"] = subscription_id
    if row.id is None:
        inserted = await connection.execute(
            insert(billing_invoices).values(**values, created_at=now)
        )
        return int(inserted.lastrowid)
    await connection.execute(
        update(billing_invoices).where(billing_invoices.c.id == row.id).values(**values)
    )
    return row.id


async def link_invoices(
    connection: WriteConnection,
    *,
    provider: str,
    provider_subscription_id: str,
    subscription_id: int,
) -> None:
    """Invoices that came before their subscription get the link they could not have then."""
    t = billing_invoices
    await connection.execute(
        update(t)
        .where(
            t.c.provider == provider,
            t.c.provider_subscription_id == provider_subscription_id,
            t.c.subscription_id.is_(None),
        )
        .values(subscription_id=subscription_id)
    )


async def save_payment(
    connection: WriteConnection, row: Payment, *, invoice_id: int, is_new: bool, now: datetime
) -> None:
    """Insert or update one attempt."""
    t = billing_payments
    values = {
        "status": row.status.value,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "paid_at": row.paid_at,
        **watermark_values(row.watermark),
        "updated_at": now,
    }
    if is_new:
        await connection.execute(
            insert(t).values(
                **values,
                invoice_id=invoice_id,
                provider=row.provider,
                provider_payment_id=row.provider_payment_id,
                type=_PAYMENT_TYPE,
                created_at=now,
            )
        )
        return
    await connection.execute(
        update(t)
        .where(t.c.provider == row.provider, t.c.provider_payment_id == row.provider_payment_id)
        .values(**values, row_version=t.c.row_version + 1)
    )
