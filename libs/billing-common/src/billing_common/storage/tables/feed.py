"""Messages for Kafka that were committed with the rows they tell about.

Inserted by projection and reconciler, published and deleted by projection's relay, in id order
per shard. billing_relay_leases says which process relays which shard.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, PrimaryKeyConstraint, Table
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import (
    CODE_BYTES,
    exact,
    external_id,
    identity,
    lease_owner,
    lease_version,
    moment,
    restrict,
    row_reference,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import json_document

billing_feed_outbox: Final = Table(
    "billing_feed_outbox",
    metadata,
    identity(),
    Column("shard", mysql.SMALLINT(unsigned=True), nullable=False),
    row_reference("billable_entity_id"),
    exact("topic", CODE_BYTES),
    external_id("message_key"),
    Column("payload", mysql.MEDIUMBLOB(), nullable=False),
    Column("headers_json", json_document(), nullable=True),
    moment("created_at", nullable=False),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    Index("shard_id", "shard", "id"),
    Index("entity", "billable_entity_id"),
    **TABLE_OPTIONS,
)

billing_relay_leases: Final = Table(
    "billing_relay_leases",
    metadata,
    exact("name", CODE_BYTES),
    lease_owner(),
    moment("lease_expires_at"),
    lease_version(),
    PrimaryKeyConstraint("name"),
    CheckConstraint("(lease_owner is null) = (lease_expires_at is null)", name="lease_is_whole"),
    **TABLE_OPTIONS,
)
