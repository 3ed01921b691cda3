"""Jobs that must happen at the provider after a commit, such as expiring an orphaned session.

Inserted by checkout, projection and reconciler in the transaction that needs the job; leased and
finished by reconciler. Not the feed to Kafka: that is tables/feed.py.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint

from billing_common.storage.tables.columns import (
    count,
    created_and_updated,
    exact,
    external_id,
    identity,
    lease_owner,
    lease_version,
    moment,
    operation_key,
    restrict,
    row_reference,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import json_document, long_human_text, word_of

JOB_STATUSES: Final = ("pending", "leased", "succeeded", "failed", "dead_letter")

billing_outbox_jobs: Final = Table(
    "billing_outbox_jobs",
    metadata,
    identity(),
    row_reference("billable_entity_id", nullable=True),
    operation_key(),
    external_id("provider_event_id", nullable=True),
    exact("job_type", 96),
    external_id("dedupe_key"),
    Column("payload_json", json_document(), nullable=False),
    Column("status", word_of(*JOB_STATUSES), nullable=False, server_default="pending"),
    moment("available_at", nullable=False),
    count("attempt_count"),
    lease_owner(),
    moment("lease_expires_at"),
    lease_version(),
    Column("last_error_text", long_human_text(), nullable=True),
    moment("finished_at"),
    *created_and_updated(),
    UniqueConstraint("job_type", "dedupe_key", name="type_dedupe"),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    CheckConstraint(
        "(status = 'leased') = (lease_owner is not null) "
        "and (lease_owner is null) = (lease_expires_at is null)",
        name="lease_only_while_leased",
    ),
    Index("entity_status_updated", "billable_entity_id", "status", "updated_at"),
    Index("status_available", "status", "available_at"),
    Index("type_status_updated", "job_type", "status", "updated_at"),
    Index("operation_key", "operation_key"),
    **TABLE_OPTIONS,
)
