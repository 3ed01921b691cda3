"""Duplicate subscriptions that have to be cancelled at the provider.

Inserted by whoever finds the duplicate (checkout, projection, reconciler); leased and finished
by reconciler. Nothing is cancelled inline.
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
    metadata_json,
    moment,
    operation_key,
    provider,
    restrict,
    row_reference,
    set_null,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import long_human_text, word_of

REMEDIATION_ACTIONS: Final = ("cancel_duplicate_subscription",)
REMEDIATION_STATUSES: Final = ("pending", "in_progress", "succeeded", "failed", "dead_letter")

billing_subscription_remediations: Final = Table(
    "billing_subscription_remediations",
    metadata,
    identity(),
    row_reference("billable_entity_id"),
    provider(),
    operation_key(),
    external_id("provider_event_id", nullable=True),
    external_id("canonical_provider_subscription_id"),
    row_reference("canonical_subscription_id", nullable=True),
    external_id("duplicate_provider_subscription_id"),
    Column(
        "action",
        word_of(*REMEDIATION_ACTIONS),
        nullable=False,
        server_default="cancel_duplicate_subscription",
    ),
    Column("status", word_of(*REMEDIATION_STATUSES), nullable=False, server_default="pending"),
    exact("selection_algorithm_version", 64),
    count("attempt_count"),
    moment("next_attempt_at"),
    moment("last_attempt_at"),
    moment("resolved_at"),
    lease_owner(),
    moment("lease_expires_at"),
    lease_version(),
    Column("error_text", long_human_text(), nullable=True),
    metadata_json(),
    *created_and_updated(),
    UniqueConstraint(
        "provider", "duplicate_provider_subscription_id", "action", name="duplicate_action"
    ),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    set_null("canonical", "canonical_subscription_id", "billing_subscriptions"),
    CheckConstraint(
        "canonical_provider_subscription_id <> duplicate_provider_subscription_id",
        name="canonical_not_duplicate",
    ),
    CheckConstraint(
        "(status = 'in_progress') = (lease_owner is not null) "
        "and (lease_owner is null) = (lease_expires_at is null)",
        name="lease_only_in_progress",
    ),
    Index("entity_status_updated", "billable_entity_id", "status", "updated_at"),
    Index("entity_event", "billable_entity_id", "provider_event_id"),
    Index("status_next_attempt", "status", "next_attempt_at"),
    Index("canonical", "canonical_subscription_id"),
    **TABLE_OPTIONS,
)
