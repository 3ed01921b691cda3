"""Invoices and payment attempts, mirrored from the provider. Observational, like subscriptions.

`status` keeps the provider's own word: a new word is stored as it comes, and decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing_common.domain.ordering import Watermark


class PaymentStatus(StrEnum):
    """What one attempt to collect an invoice led to."""

    PAID = "paid"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """One row of billing_invoices. `id` is None until it is stored."""

    id: int | None
    billable_entity_id: int
    billing_customer_id: int
    subscription_id: int | None
    provider: str
    provider_invoice_id: str
    provider_subscription_id: str | None
    status: str
    currency: str
    amount_due_minor: int
    amount_paid_minor: int
    amount_remaining_minor: int
    issued_at: datetime
    due_at: datetime | None
    paid_at: datetime | None
    operation_key: str | None
    watermark: Watermark | None
    row_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One row of billing_payments: an attempt to collect an invoice. `id` as for an invoice."""

    id: int | None
    provider: str
    provider_invoice_id: str
    provider_payment_id: str
    status: PaymentStatus
    currency: str
    amount_minor: int
    paid_at: datetime | None
    watermark: Watermark


def payment_attempt_id(provider_invoice_id: str, attempt_count: int) -> str:
    """Our name of one attempt: the event names no payment, only the invoice and its count."""
    return f"{provider_invoice_id}:attempt:{attempt_count}"
