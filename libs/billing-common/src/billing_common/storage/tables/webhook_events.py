"""Which provider events were met, and what became of each.

Inserted and moved by projection; reconciler retries and dead-letters the failed ones. Until a
row exists the Kafka log holds the event; the bytes are kept here only when projecting failed.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Index, Table, UniqueConstraint
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import (
    CODE_BYTES,
    count,
    created_and_updated,
    exact,
    external_id,
    identity,
    moment,
    operation_key,
    provider,
    restrict,
    row_reference,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import long_human_text, word_of

EVENT_STATUSES: Final = (
    "received",
    "processing",
    "processed",
    "ignored",
    "failed",
    "dead_letter",
)

billing_webhook_events: Final = Table(
    "billing_webhook_events",
    metadata,
    identity(),
    provider(),
    external_id("provider_event_id"),
    row_reference("billable_entity_id", nullable=True),
    operation_key(),
    exact("event_type", CODE_BYTES),
    external_id("object_id", nullable=True),
    exact("object_type", CODE_BYTES, nullable=True),
    exact("api_version", 64, nullable=True),
    Column("livemode", Boolean(), nullable=False),
    external_id("account", nullable=True),
    moment("provider_created_at", nullable=False),
    Column("status", word_of(*EVENT_STATUSES), nullable=False, server_default="received"),
    # Why it was ignored or failed: a code of ours.
    exact("outcome_code", CODE_BYTES, nullable=True),
    moment("received_at", nullable=False),
    moment("processing_started_at"),
    moment("processed_at"),
    moment("last_failed_at"),
    moment("next_attempt_at"),
    count("attempt_count"),
    Column("error_text", long_human_text(), nullable=True),
    exact("kafka_topic", CODE_BYTES, nullable=True),
    Column("kafka_partition", mysql.INTEGER(unsigned=True), nullable=True),
    Column("kafka_offset", mysql.BIGINT(unsigned=True), nullable=True),
    Column("payload", mysql.LONGBLOB(), nullable=True),
    moment("payload_retention_until"),
    *created_and_updated(),
    UniqueConstraint("provider", "provider_event_id", name="provider_event"),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    Index("entity_updated", "billable_entity_id", "updated_at"),
    Index("operation_updated", "operation_key", "updated_at"),
    Index("status_updated", "status", "updated_at"),
    Index("status_next_attempt", "status", "next_attempt_at"),
    Index("object_status", "object_id", "status"),
    Index("received", "received_at"),
    Index("payload_retention", "payload_retention_until"),
    **TABLE_OPTIONS,
)
