"""Folding invoice.paid and invoice.payment_failed: the invoice as it is, and one attempt."""

from __future__ import annotations

from datetime import datetime

from billing_common.domain.invoice import Invoice, Payment, PaymentStatus, payment_attempt_id
from billing_common.domain.ordering import Order, Watermark, advance, compare
from billing_common.domain.provider_objects import ProviderInvoice
from projection.decisions.event import (
    Applied,
    Family,
    Ignored,
    IgnoreReason,
    NeedsTruth,
    ObjectRef,
    Outcome,
    StripeEvent,
)
from projection.decisions.state import Change, EntityState

_PAID = "invoice.paid"


def fold_invoice(
    state: EntityState,
    event: StripeEvent,
    source: ProviderInvoice,
    *,
    truth: ProviderInvoice | None,
) -> Outcome:
    """Total. The attempt is a fact of the event itself; the invoice follows the ordering rule."""
    stored = state.invoices.get(source.id)
    order = compare(stored.watermark if stored else None, event.watermark)
    if order is Order.SAME_EVENT:
        return Ignored(IgnoreReason.ALREADY_FOLDED)
    if order is Order.TIE and truth is None:
        return NeedsTruth(ObjectRef(Family.INVOICE, source.id))
    attempted = state.with_payment(_attempt(state, event, source))
    if order is Order.OLDER:
        # An older attempt is still history worth keeping; the invoice itself has moved on.
        return Applied(attempted)
    newest = truth if order is Order.TIE and truth is not None else source
    mark = advance(stored.watermark if stored else None, event.watermark)
    row = _row(state, newest, stored=stored, mark=mark)
    return Applied(
        attempted.with_invoice(row).with_change(
            Change(
                "invoice", row.provider_invoice_id, row.status, row.operation_key, event.event_id
            )
        )
    )


def _attempt(state: EntityState, event: StripeEvent, source: ProviderInvoice) -> Payment:
    """The attempt after this event: whatever the order, the same one of its events is kept."""
    is_paid = event.type == _PAID
    payment_id = payment_attempt_id(source.id, source.attempt_count)
    known = state.payments.get(payment_id)
    told = Payment(
        id=known.id if known else None,
        provider="stripe",
        provider_invoice_id=source.id,
        provider_payment_id=payment_id,
        status=PaymentStatus.PAID if is_paid else PaymentStatus.FAILED,
        currency=source.currency,
        amount_minor=source.amount_paid_minor if is_paid else source.amount_due_minor,
        paid_at=(source.paid_at or event.created_at) if is_paid else None,
        watermark=event.watermark,
    )
    return told if known is None else max(known, told, key=_weight)


def _weight(payment: Payment) -> tuple[bool, datetime, str]:
    """One attempt cannot fail after it was paid: such a failure was told late. Else the newest."""
    mark = payment.watermark
    return payment.status is PaymentStatus.PAID, mark.event_created_at, mark.event_id


def _row(
    state: EntityState, source: ProviderInvoice, *, stored: Invoice | None, mark: Watermark
) -> Invoice:
    return Invoice(
        id=stored.id if stored else None,
        billable_entity_id=state.billable_entity_id,
        billing_customer_id=state.billing_customer_id,
        subscription_id=stored.subscription_id if stored else None,
        provider="stripe",
        provider_invoice_id=source.id,
        provider_subscription_id=source.subscription_id
        or (stored.provider_subscription_id if stored else None),
        status=source.status,
        currency=source.currency,
        amount_due_minor=source.amount_due_minor,
        amount_paid_minor=source.amount_paid_minor,
        amount_remaining_minor=source.amount_remaining_minor,
        issued_at=source.created_at,
        due_at=source.due_at,
        paid_at=source.paid_at,
        operation_key=source.operation_key or (stored.operation_key if stored else None),
        watermark=mark,
        row_version=stored.row_version if stored else 0,
    )
