"""Payment methods of a customer, and what became of each attempt to sync them.

Written by projection (from events) and by reconciler (from fetched truth). No card number ever:
brand, last four digits and expiry are what Stripe shows.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, Table, UniqueConstraint
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import (
    created_and_updated,
    exact,
    external_id,
    flag,
    identity,
    metadata_json,
    moment,
    provider,
    restrict,
    row_reference,
    set_null,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import ExactText, json_document, long_human_text, word_of

PAYMENT_METHOD_STATUSES: Final = ("active", "detached", "expired", "disabled")
SYNC_STATUSES: Final = ("succeeded", "failed", "skipped")

billing_payment_methods: Final = Table(
    "billing_payment_methods",
    metadata,
    identity(),
    row_reference("billable_entity_id"),
    row_reference("billing_customer_id"),
    provider(),
    external_id("provider_payment_method_id"),
    exact("type", 64),
    exact("brand", 64, nullable=True),
    exact("last4", 4, nullable=True),
    Column("exp_month", mysql.INTEGER(unsigned=True), nullable=True),
    Column("exp_year", mysql.INTEGER(unsigned=True), nullable=True),
    flag("is_default", default=False),
    Column("status", word_of(*PAYMENT_METHOD_STATUSES), nullable=False, server_default="active"),
    moment("last_provider_synced_at"),
    metadata_json(),
    *created_and_updated(),
    UniqueConstraint("provider", "provider_payment_method_id", name="provider_payment_method"),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    restrict(
        "customer_of_entity",
        ["billing_customer_id", "billable_entity_id", "provider"],
        "billing_customers",
        ["id", "billable_entity_id", "provider"],
    ),
    Index("entity_status", "billable_entity_id", "status"),
    Index("entity_default", "billable_entity_id", "is_default"),
    Index("customer_of_entity", "billing_customer_id", "billable_entity_id", "provider"),
    **TABLE_OPTIONS,
)

billing_payment_method_sync_events: Final = Table(
    "billing_payment_method_sync_events",
    metadata,
    identity(),
    row_reference("billable_entity_id"),
    row_reference("billing_customer_id", nullable=True),
    provider(),
    Column("event_type", ExactText(64), nullable=False, server_default="manual_sync"),
    external_id("provider_event_id", nullable=True),
    Column("status", word_of(*SYNC_STATUSES), nullable=False),
    Column("error_text", long_human_text(), nullable=True),
    Column("payload_json", json_document(), nullable=True),
    moment("processed_at"),
    *created_and_updated(),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    set_null("customer", "billing_customer_id", "billing_customers"),
    Index("entity_created", "billable_entity_id", "created_at"),
    Index("provider_status_created", "provider", "status", "created_at"),
    Index("customer", "billing_customer_id"),
    **TABLE_OPTIONS,
)
