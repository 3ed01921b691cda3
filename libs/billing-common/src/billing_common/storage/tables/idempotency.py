"""One client intent per row: claim, frozen provider request, lease, outcome.

Inserted and moved by checkout; projection finishes a row whose session an event proves, and
reconciler expires stale ones. The answer is kept as the exact bytes that are replayed, and the
provider request as the exact text that its hash was made of.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint, text
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import (
    CHECKOUT_FLOWS,
    CLIENT_KEY_BYTES,
    CODE_BYTES,
    EXTERNAL_ID_BYTES,
    HASH_BYTES,
    count,
    created_and_updated,
    exact,
    external_id,
    guard,
    identity,
    lease_owner,
    lease_version,
    moment,
    operation_key,
    provider,
    restrict,
    row_reference,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import ExactDocument, json_document, long_human_text, word_of

ACTIONS: Final = ("checkout", "portal", "payment_link", "payment_link_deactivation")
OPERATION_STATUSES: Final = ("pending", "succeeded", "failed", "expired")

billing_request_idempotency: Final = Table(
    "billing_request_idempotency",
    metadata,
    identity(),
    row_reference("billable_entity_id"),
    Column("action", word_of(*ACTIONS), nullable=False),
    Column("flow", word_of(*CHECKOUT_FLOWS), nullable=True),
    exact("client_idempotency_key", CLIENT_KEY_BYTES),
    exact("actor_user_id", EXTERNAL_ID_BYTES, nullable=True),
    exact("request_fingerprint_hash", HASH_BYTES),
    Column("normalized_request_json", json_document(), nullable=False),
    operation_key(nullable=False),
    provider(),
    exact("provider_idempotency_key", EXTERNAL_ID_BYTES),
    # Which key of the operation's fixed series that is: the next one only after a stored 5xx.
    Column(
        "provider_attempt", mysql.INTEGER(unsigned=True), nullable=False, server_default=text("1")
    ),
    Column("provider_request_params", ExactDocument(), nullable=True),
    exact("provider_request_hash", HASH_BYTES, nullable=True),
    exact("provider_request_schema_version", CODE_BYTES, nullable=True),
    exact("provider_sdk_name", 64, nullable=True),
    exact("provider_sdk_version", 32, nullable=True),
    exact("provider_api_version", 64, nullable=True),
    moment("provider_request_frozen_at"),
    moment("provider_idempotency_replay_deadline_at"),
    moment("provider_checkout_session_expires_at_upper_bound"),
    external_id("provider_session_id", nullable=True),
    Column("status", word_of(*OPERATION_STATUSES), nullable=False, server_default="pending"),
    Column("response_status", mysql.SMALLINT(unsigned=True), nullable=True),
    Column("response_body", mysql.MEDIUMBLOB(), nullable=True),
    exact("failure_code", 96, nullable=True),
    Column("failure_reason", long_human_text(), nullable=True),
    Column("failure_details_json", json_document(), nullable=True),
    lease_owner(),
    moment("pending_lease_expires_at"),
    moment("pending_last_heartbeat_at"),
    lease_version(),
    count("recovery_attempt_count"),
    moment("last_recovery_attempt_at"),
    # One pending subscription checkout per entity. One-off checkouts never take it.
    guard(
        "active_checkout_pending_key",
        mysql.BIGINT(unsigned=True),
        when="action = 'checkout' and flow = 'subscription' and status = 'pending'",
        then="billable_entity_id",
    ),
    *created_and_updated(),
    UniqueConstraint(
        "billable_entity_id", "action", "client_idempotency_key", name="entity_action_client_key"
    ),
    UniqueConstraint("action", "operation_key", name="action_operation"),
    UniqueConstraint("provider", "provider_idempotency_key", name="provider_key"),
    UniqueConstraint("active_checkout_pending_key", name="active_checkout_pending_key"),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    # Without a flow the pending guard would silently not apply.
    CheckConstraint("(action = 'checkout') = (flow is not null)", name="checkout_states_its_flow"),
    CheckConstraint(
        "(lease_owner is null) = (pending_lease_expires_at is null) "
        "and (lease_owner is null or status = 'pending')",
        name="lease_only_while_pending",
    ),
    Index("entity_action_created", "billable_entity_id", "action", "created_at"),
    Index("status_lease", "status", "pending_lease_expires_at"),
    Index("status_updated", "status", "updated_at"),
    Index("operation_key", "operation_key"),
    Index("provider_session", "provider_session_id"),
    Index("replay_deadline", "provider_idempotency_replay_deadline_at"),
    **TABLE_OPTIONS,
)
