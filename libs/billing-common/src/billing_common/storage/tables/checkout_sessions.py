"""Sessions that a customer can pay, could have paid, or may still turn out to have paid.

Written by checkout (Tx B, holds), by projection (the transitions that events own) and by
reconciler (sessions that time or the provider has ended).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, Table, UniqueConstraint
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import (
    CHECKOUT_FLOWS,
    created_and_updated,
    external_id,
    guard,
    identity,
    metadata_json,
    moment,
    operation_key,
    provider,
    restrict,
    row_reference,
    set_null,
    watermark,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import long_human_text, word_of

SESSION_STATUSES: Final = (
    "open",
    "completed_pending_subscription",
    "recovery_verification_pending",
    "completed_reconciled",
    "expired",
    "abandoned",
)

billing_checkout_sessions: Final = Table(
    "billing_checkout_sessions",
    metadata,
    identity(),
    row_reference("billable_entity_id"),
    provider(),
    Column("flow", word_of(*CHECKOUT_FLOWS), nullable=False),
    external_id("provider_checkout_session_id", nullable=True),
    row_reference("idempotency_row_id", nullable=True),
    operation_key(nullable=False),
    external_id("provider_customer_id", nullable=True),
    external_id("provider_subscription_id", nullable=True),
    Column("status", word_of(*SESSION_STATUSES), nullable=False),
    Column("checkout_url", long_human_text(), nullable=True),
    moment("expires_at"),
    moment("completed_at"),
    *watermark(),
    metadata_json(),
    # One blocking subscription session per entity. One-off sessions never take it.
    guard(
        "active_checkout_block_key",
        mysql.BIGINT(unsigned=True),
        when=(
            "flow = 'subscription' and status in "
            "('open', 'completed_pending_subscription', 'recovery_verification_pending')"
        ),
        then="billable_entity_id",
    ),
    *created_and_updated(),
    UniqueConstraint("provider", "provider_checkout_session_id", name="provider_session"),
    UniqueConstraint("provider", "operation_key", name="provider_operation"),
    UniqueConstraint("idempotency_row_id", name="idempotency_row"),
    UniqueConstraint("provider", "provider_subscription_id", name="provider_subscription"),
    UniqueConstraint("active_checkout_block_key", name="active_checkout_block_key"),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    # The intent is purged before its session; the session stays.
    set_null("idempotency_row", "idempotency_row_id", "billing_request_idempotency"),
    Index("entity_status", "billable_entity_id", "status"),
    Index("status_expires", "status", "expires_at"),
    Index("operation_key", "operation_key"),
    **TABLE_OPTIONS,
)
