"""Who may act: users, workspaces, organizations, memberships, what a role allows, our services.

Written by api-gateway only, from the product's directory sync. A sync carries `sync_version`; an
older one changes nothing. External ids are the product's own and compared byte for byte.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, UniqueConstraint, text
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import (
    CODE_BYTES,
    HASH_BYTES,
    created_and_updated,
    exact,
    external_id,
    identity,
    moment,
    restrict,
    row_reference,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import human_text, json_document, word_of

IDENTITY_STATUSES: Final = ("active", "inactive")
ORGANIZATION_KINDS: Final = ("organization", "external")


def _sync_version() -> Column[int]:
    return Column(
        "sync_version", mysql.BIGINT(unsigned=True), nullable=False, server_default=text("0")
    )


def _status() -> Column[str]:
    return Column("status", word_of(*IDENTITY_STATUSES), nullable=False, server_default="active")


identity_users: Final = Table(
    "identity_users",
    metadata,
    identity(),
    external_id("external_id"),
    Column("display_name", human_text(255), nullable=True),
    _status(),
    _sync_version(),
    *created_and_updated(),
    UniqueConstraint("external_id", name="external_id"),
    **TABLE_OPTIONS,
)

identity_workspaces: Final = Table(
    "identity_workspaces",
    metadata,
    identity(),
    external_id("external_id"),
    external_id("slug"),
    Column("name", human_text(255), nullable=False),
    row_reference("owner_user_id"),
    _status(),
    _sync_version(),
    *created_and_updated(),
    UniqueConstraint("external_id", name="external_id"),
    UniqueConstraint("slug", name="slug"),
    restrict("owner", ["owner_user_id"], "identity_users"),
    Index("owner", "owner_user_id"),
    **TABLE_OPTIONS,
)

# Whoever is billed without being a workspace or a user; who may act for it is stated by grants.
identity_organizations: Final = Table(
    "identity_organizations",
    metadata,
    identity(),
    Column("kind", word_of(*ORGANIZATION_KINDS), nullable=False),
    external_id("external_id"),
    Column("name", human_text(255), nullable=False),
    _status(),
    _sync_version(),
    *created_and_updated(),
    UniqueConstraint("kind", "external_id", name="kind_external_id"),
    **TABLE_OPTIONS,
)

identity_memberships: Final = Table(
    "identity_memberships",
    metadata,
    row_reference("workspace_id"),
    row_reference("user_id"),
    exact("role", CODE_BYTES),
    _sync_version(),
    *created_and_updated(),
    PrimaryKeyConstraint("workspace_id", "user_id"),
    restrict("workspace", ["workspace_id"], "identity_workspaces"),
    restrict("user", ["user_id"], "identity_users"),
    Index("user", "user_id"),
    **TABLE_OPTIONS,
)

identity_role_permissions: Final = Table(
    "identity_role_permissions",
    metadata,
    exact("role", CODE_BYTES),
    exact("permission", CODE_BYTES),
    moment("created_at", nullable=False),
    PrimaryKeyConstraint("role", "permission"),
    **TABLE_OPTIONS,
)

# A role that has a row here allows what identity_role_permissions says, also nothing at all; any
# other role is as it is built in.
identity_roles: Final = Table(
    "identity_roles",
    metadata,
    exact("role", CODE_BYTES),
    _sync_version(),
    *created_and_updated(),
    PrimaryKeyConstraint("role"),
    **TABLE_OPTIONS,
)

# Other services of the product. The token itself is known to its holder only.
identity_service_tokens: Final = Table(
    "identity_service_tokens",
    metadata,
    identity(),
    exact("name", CODE_BYTES),
    exact("token_sha256", HASH_BYTES),
    Column("scopes_json", json_document(), nullable=False),
    moment("expires_at"),
    moment("revoked_at"),
    _sync_version(),
    *created_and_updated(),
    UniqueConstraint("name", name="name"),
    UniqueConstraint("token_sha256", name="token"),
    **TABLE_OPTIONS,
)
