"""The directory that the product syncs: users, workspaces, members, roles, and their entities.

Every function takes a write connection and runs inside the caller's transaction. Rows are locked
in one order: users, then the workspace, then its members, then its entity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from billing_common.storage.database_errors import duplicate_key_name
from billing_common.storage.insert_once import Conflict, insert_once
from billing_common.storage.tables import (
    billable_entities,
    identity_memberships,
    identity_role_permissions,
    identity_roles,
    identity_users,
    identity_workspaces,
)
from billing_common.storage.transaction import WriteConnection

_users = identity_users.c
_workspaces = identity_workspaces.c
_members = identity_memberships.c
_entities = billable_entities.c
_roles = identity_role_permissions.c

_SLUG_KEY = "uq_identity_workspaces_slug"


class SlugTaken(Exception):  # noqa: N818 - exceptions are facts here
    """Another workspace has this slug."""


@dataclass(frozen=True, slots=True)
class DirectoryRow:
    """A stored user or workspace; `is_new` when this transaction made it."""

    id: int
    sync_version: int
    is_new: bool


async def claim_user(
    connection: WriteConnection, *, external_id: str, values: Mapping[str, Any], now: datetime
) -> DirectoryRow:
    """Insert the user, or lock the one that is there."""
    return await _claim(connection, identity_users, external_id, values, now)


async def claim_workspace(
    connection: WriteConnection, *, external_id: str, values: Mapping[str, Any], now: datetime
) -> DirectoryRow:
    """Insert the workspace, or lock the one that is there. Raises SlugTaken."""
    try:
        return await _claim(connection, identity_workspaces, external_id, values, now)
    except DBAPIError as error:
        if duplicate_key_name(error) == _SLUG_KEY:
            raise SlugTaken from error
        raise


async def lock_workspace(connection: WriteConnection, external_id: str) -> DirectoryRow | None:
    """The stored workspace, locked, or None."""
    found = await connection.execute(
        select(_workspaces.id, _workspaces.sync_version)
        .where(_workspaces.external_id == external_id)
        .with_for_update()
    )
    row = found.one_or_none()
    return None if row is None else DirectoryRow(row.id, row.sync_version, is_new=False)


async def update_user(
    connection: WriteConnection, user_id: int, *, values: Mapping[str, Any], now: datetime
) -> None:
    """Overwrite a user whose row is locked."""
    await connection.execute(
        update(identity_users).where(_users.id == user_id).values(**values, updated_at=now)
    )


async def update_workspace(
    connection: WriteConnection, workspace_id: int, *, values: Mapping[str, Any], now: datetime
) -> None:
    """Overwrite a workspace whose row is locked. Raises SlugTaken."""
    try:
        await connection.execute(
            update(identity_workspaces)
            .where(_workspaces.id == workspace_id)
            .values(**values, updated_at=now)
        )
    except DBAPIError as error:
        if duplicate_key_name(error) == _SLUG_KEY:
            raise SlugTaken from error
        raise


async def find_user_ids(connection: WriteConnection, external_ids: Sequence[str]) -> dict[str, int]:
    """Ids by external id; unknown ones are left out. Users are never deleted."""
    rows = await connection.execute(
        select(_users.external_id, _users.id).where(_users.external_id.in_(external_ids))
    )
    return {row.external_id: row.id for row in rows}


async def find_members(connection: WriteConnection, workspace_id: int) -> dict[int, str]:
    """Role by user id. Stable while the workspace's row is locked."""
    rows = await connection.execute(
        select(_members.user_id, _members.role).where(_members.workspace_id == workspace_id)
    )
    return {row.user_id: row.role for row in rows}


async def remove_members(
    connection: WriteConnection, workspace_id: int, user_ids: Sequence[int]
) -> None:
    """These users are members no more."""
    if user_ids:
        await connection.execute(
            delete(identity_memberships).where(
                _members.workspace_id == workspace_id, _members.user_id.in_(user_ids)
            )
        )


async def add_members(
    connection: WriteConnection,
    workspace_id: int,
    roles: Mapping[int, str],
    *,
    sync_version: int,
    now: datetime,
) -> None:
    """New members with their roles, by user id."""
    if roles:
        await connection.execute(
            insert(identity_memberships),
            [
                {
                    "workspace_id": workspace_id,
                    "user_id": user_id,
                    "role": role,
                    "sync_version": sync_version,
                    "created_at": now,
                    "updated_at": now,
                }
                for user_id, role in sorted(roles.items())
            ],
        )


async def change_member_role(
    connection: WriteConnection,
    workspace_id: int,
    user_id: int,
    role: str,
    *,
    sync_version: int,
    now: datetime,
) -> None:
    """The member's role from now on."""
    await connection.execute(
        update(identity_memberships)
        .where(_members.workspace_id == workspace_id, _members.user_id == user_id)
        .values(role=role, sync_version=sync_version, updated_at=now)
    )


async def claim_entity(
    connection: WriteConnection,
    *,
    entity_type: str,
    entity_ref: str,
    values: Mapping[str, Any],
    now: datetime,
) -> int:
    """The billable entity of this reference: made when it is not there yet."""
    outcome = await insert_once(
        connection,
        billable_entities,
        {
            "entity_type": entity_type,
            "entity_ref": entity_ref,
            **values,
            "created_at": now,
            "updated_at": now,
        },
        expected_conflicts=frozenset(
            {"uq_billable_entities_type_ref", "uq_billable_entities_workspace"}
        ),
    )
    if not isinstance(outcome, Conflict):
        return outcome.id
    found = await connection.execute(
        select(_entities.id).where(
            _entities.entity_type == entity_type, _entities.entity_ref == entity_ref
        )
    )
    return int(found.scalar_one())


async def update_entity(
    connection: WriteConnection, entity_id: int, *, values: Mapping[str, Any], now: datetime
) -> None:
    """Owner and status follow the directory."""
    await connection.execute(
        update(billable_entities).where(_entities.id == entity_id).values(**values, updated_at=now)
    )


async def claim_role(
    connection: WriteConnection, role: str, *, version: int | None, now: datetime
) -> int | None:
    """The version that is stored, its row locked; None when this transaction stated the role."""
    row = {"role": role, "sync_version": version or 1, "created_at": now, "updated_at": now}
    outcome = await insert_once(
        connection, identity_roles, row, expected_conflicts=frozenset({"PRIMARY"})
    )
    if not isinstance(outcome, Conflict):
        return None
    found = await connection.execute(
        select(identity_roles.c.sync_version).where(identity_roles.c.role == role).with_for_update()
    )
    return int(found.scalar_one())


async def change_role_version(
    connection: WriteConnection, role: str, version: int, *, now: datetime
) -> None:
    """The locked role is stated anew."""
    await connection.execute(
        update(identity_roles)
        .where(identity_roles.c.role == role)
        .values(sync_version=version, updated_at=now)
    )


async def find_permissions(connection: WriteConnection, role: str) -> list[str]:
    """What the role allows, sorted. Stable while its row is locked."""
    rows = await connection.execute(select(_roles.permission).where(_roles.role == role))
    return sorted(row.permission for row in rows)


async def replace_permissions(
    connection: WriteConnection, role: str, permissions: Sequence[str], *, now: datetime
) -> None:
    """The role allows exactly these from now on."""
    await connection.execute(
        delete(identity_role_permissions).where(
            _roles.role == role, _roles.permission.not_in(permissions)
        )
    )
    for permission in sorted(permissions):
        await insert_once(
            connection,
            identity_role_permissions,
            {"role": role, "permission": permission, "created_at": now},
            expected_conflicts=frozenset({"PRIMARY"}),
        )


async def _claim(
    connection: WriteConnection,
    table: Table,
    external_id: str,
    values: Mapping[str, Any],
    now: datetime,
) -> DirectoryRow:
    row = {"external_id": external_id, **values, "created_at": now, "updated_at": now}
    key_name = f"uq_{table.name}_external_id"
    outcome = await insert_once(connection, table, row, expected_conflicts=frozenset({key_name}))
    if not isinstance(outcome, Conflict):
        return DirectoryRow(outcome.id, values["sync_version"], is_new=True)
    found = await connection.execute(
        select(table.c.id, table.c.sync_version)
        .where(table.c.external_id == external_id)
        .with_for_update()
    )
    stored = found.one()
    return DirectoryRow(stored.id, stored.sync_version, is_new=False)
