"""Who is billed: the billable entity, its customer at the provider, and explicit grants.

billable_entities and billable_entity_grants are written by api-gateway; a change of what the
entity may use bumps `entitlement_version` under the row's lock, by projection and reconciler.
billing_customers is inserted by checkout, once per entity and provider, and updated by
projection and reconciler.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, Table, UniqueConstraint, text
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import (
    CODE_BYTES,
    created_and_updated,
    exact,
    external_id,
    identity,
    metadata_json,
    moment,
    provider,
    restrict,
    row_reference,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import human_text, word_of

ENTITY_TYPES: Final = ("workspace", "user", "organization", "external")
ENTITY_STATUSES: Final = ("active", "inactive")

billable_entities: Final = Table(
    "billable_entities",
    metadata,
    identity(),
    Column("entity_type", word_of(*ENTITY_TYPES), nullable=False, server_default="workspace"),
    external_id("entity_ref", nullable=True),
    row_reference("workspace_id", nullable=True),
    row_reference("owner_user_id", nullable=True),
    Column("status", word_of(*ENTITY_STATUSES), nullable=False, server_default="active"),
    Column(
        "entitlement_version", mysql.BIGINT(unsigned=True), nullable=False, server_default=text("0")
    ),
    *created_and_updated(),
    UniqueConstraint("workspace_id", name="workspace"),
    UniqueConstraint("entity_type", "entity_ref", name="type_ref"),
    restrict("workspace", ["workspace_id"], "identity_workspaces"),
    restrict("owner", ["owner_user_id"], "identity_users"),
    Index("owner", "owner_user_id"),
    Index("type_status", "entity_type", "status"),
    **TABLE_OPTIONS,
)

billable_entity_grants: Final = Table(
    "billable_entity_grants",
    metadata,
    identity(),
    row_reference("billable_entity_id"),
    row_reference("user_id"),
    exact("permission", CODE_BYTES),
    moment("created_at", nullable=False),
    UniqueConstraint("billable_entity_id", "user_id", "permission", name="entity_user_permission"),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    restrict("user", ["user_id"], "identity_users"),
    Index("user", "user_id"),
    **TABLE_OPTIONS,
)

billing_customers: Final = Table(
    "billing_customers",
    metadata,
    identity(),
    row_reference("billable_entity_id"),
    provider(),
    external_id("provider_customer_id"),
    Column("email", human_text(320), nullable=True),
    metadata_json(),
    *created_and_updated(),
    UniqueConstraint("provider", "provider_customer_id", name="provider_customer"),
    UniqueConstraint("billable_entity_id", "provider", name="entity_provider"),
    # What composite foreign keys of other tables point at.
    UniqueConstraint("id", "billable_entity_id", "provider", name="id_entity_provider"),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    **TABLE_OPTIONS,
)
