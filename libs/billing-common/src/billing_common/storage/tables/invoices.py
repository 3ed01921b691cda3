"""Invoices and payments as the provider states them: the money rows.

Written by projection (from events) and by reconciler (from fetched truth). An invoice may come
before its subscription, so that link is nullable; its customer and entity are always known.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, Table, UniqueConstraint
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import (
    amount_minor,
    created_and_updated,
    currency,
    exact,
    external_id,
    identity,
    metadata_json,
    moment,
    operation_key,
    provider,
    restrict,
    row_reference,
    watermark,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata

# Stripe's own word, not ours: a new one is stored as it comes.
_PROVIDER_WORD_BYTES: Final = 64

billing_invoices: Final = Table(
    "billing_invoices",
    metadata,
    identity(),
    row_reference("subscription_id", nullable=True),
    row_reference("billable_entity_id"),
    row_reference("billing_customer_id"),
    provider(),
    external_id("provider_invoice_id"),
    # The link while the subscription itself has not arrived yet; subscription_id follows it.
    external_id("provider_subscription_id", nullable=True),
    exact("status", _PROVIDER_WORD_BYTES),
    amount_minor("amount_due_minor"),
    amount_minor("amount_paid_minor"),
    amount_minor("amount_remaining_minor"),
    currency(),
    moment("issued_at"),
    moment("due_at"),
    moment("paid_at"),
    operation_key(),
    *watermark(),
    metadata_json(),
    *created_and_updated(),
    UniqueConstraint("provider", "provider_invoice_id", name="provider_invoice"),
    UniqueConstraint("id", "provider", name="id_provider"),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    restrict(
        "subscription", ["subscription_id", "provider"], "billing_subscriptions", ["id", "provider"]
    ),
    restrict(
        "customer_of_entity",
        ["billing_customer_id", "billable_entity_id", "provider"],
        "billing_customers",
        ["id", "billable_entity_id", "provider"],
    ),
    Index("entity_updated", "billable_entity_id", "updated_at"),
    Index("subscription", "subscription_id", "provider"),
    Index("provider_subscription", "provider", "provider_subscription_id"),
    Index("customer_of_entity", "billing_customer_id", "billable_entity_id", "provider"),
    **TABLE_OPTIONS,
)

billing_payments: Final = Table(
    "billing_payments",
    metadata,
    identity(),
    row_reference("invoice_id"),
    provider(),
    external_id("provider_payment_id"),
    exact("type", _PROVIDER_WORD_BYTES),
    exact("status", _PROVIDER_WORD_BYTES),
    Column("amount_minor", mysql.BIGINT(unsigned=True), nullable=False),
    currency(),
    moment("paid_at"),
    *watermark(),
    metadata_json(),
    *created_and_updated(),
    UniqueConstraint("provider", "provider_payment_id", name="provider_payment"),
    restrict("invoice", ["invoice_id", "provider"], "billing_invoices", ["id", "provider"]),
    Index("invoice", "invoice_id", "provider"),
    **TABLE_OPTIONS,
)
