"""Who is calling, and which billable entities they have anything to do with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select, union

from billing_common.storage.tables import (
    billable_entities,
    billable_entity_grants,
    identity_memberships,
    identity_role_permissions,
    identity_roles,
    identity_users,
    identity_workspaces,
)
from billing_common.storage.transaction import ReadConnection

_users = identity_users.c
_entities = billable_entities.c
_workspaces = identity_workspaces.c
_members = identity_memberships.c
_grants = billable_entity_grants.c
_roles = identity_role_permissions.c
_stated = identity_roles.c


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user of the directory."""

    id: int
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An entity beside one user's relations to it. `role`: the user's, in its workspace.

    `role_permissions` is None for a role that the product never stated.
    """

    id: int
    entity_type: str
    workspace_slug: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime
    is_owner: bool
    role: str | None
    role_permissions: frozenset[str] | None
    grants: frozenset[str]


async def find_user(connection: ReadConnection, external_id: str) -> UserRow | None:
    """The user whose tokens carry this subject."""
    row = (
        await connection.execute(
            select(_users.id, _users.status).where(_users.external_id == external_id)
        )
    ).one_or_none()
    return None if row is None else UserRow(row.id, row.status == "active")


async def find_account_by_id(
    connection: ReadConnection, *, user_id: int, billable_entity_id: int
) -> Sequence[AccountRow]:
    """One account or none, whoever may use it."""
    return await _accounts(connection, user_id, _entities.id == billable_entity_id)


async def find_account_by_slug(
    connection: ReadConnection, *, user_id: int, slug: str
) -> Sequence[AccountRow]:
    """One account or none, whoever may use it."""
    return await _accounts(connection, user_id, _workspaces.slug == slug)


async def find_accounts_of(connection: ReadConnection, *, user_id: int) -> Sequence[AccountRow]:
    """Every account that the user owns, is a member of, or was granted."""
    related = union(
        select(_entities.id).where(_entities.owner_user_id == user_id),
        select(_entities.id)
        .join(identity_memberships, _members.workspace_id == _entities.workspace_id)
        .where(_members.user_id == user_id),
        select(_grants.billable_entity_id).where(_grants.user_id == user_id),
    ).subquery()
    # Joined, not IN: MySQL runs IN (... UNION ...) once per row of the outer table.
    return await _read(
        connection,
        user_id,
        _account_query(user_id).join(related, related.c.id == _entities.id),
    )


async def _accounts(
    connection: ReadConnection, user_id: int, condition: ColumnElement[bool]
) -> Sequence[AccountRow]:
    return await _read(connection, user_id, _account_query(user_id).where(condition))


def _account_query(user_id: int) -> Select[Any]:
    return (
        select(
            _entities.id,
            _entities.entity_type,
            _entities.status,
            _entities.owner_user_id,
            _entities.created_at,
            _entities.updated_at,
            _workspaces.slug,
            _members.role,
            _roles.permission,
            _stated.role.label("stated_role"),
            _grants.permission.label("granted"),
        )
        .select_from(billable_entities)
        .outerjoin(identity_workspaces, _workspaces.id == _entities.workspace_id)
        .outerjoin(
            identity_memberships,
            and_(_members.workspace_id == _entities.workspace_id, _members.user_id == user_id),
        )
        .outerjoin(identity_roles, _stated.role == _members.role)
        .outerjoin(identity_role_permissions, _roles.role == _members.role)
        .outerjoin(
            billable_entity_grants,
            and_(_grants.billable_entity_id == _entities.id, _grants.user_id == user_id),
        )
        .order_by(_entities.id)
    )


async def _read(
    connection: ReadConnection, user_id: int, query: Select[Any]
) -> Sequence[AccountRow]:
    rows = (await connection.execute(query)).all()
    by_id: dict[int, list[Any]] = {}
    for row in rows:  # one row per permission and grant
        by_id.setdefault(row.id, []).append(row)
    return [_account(user_id, group) for group in by_id.values()]


def _account(user_id: int, rows: Sequence[Any]) -> AccountRow:
    first = rows[0]
    return AccountRow(
        id=first.id,
        entity_type=first.entity_type,
        workspace_slug=first.slug,
        is_active=first.status == "active",
        created_at=first.created_at,
        updated_at=first.updated_at,
        is_owner=first.owner_user_id == user_id,
        role=first.role,
        role_permissions=None
        if first.stated_role is None
        else frozenset(row.permission for row in rows if row.permission is not None),
        grants=frozenset(row.granted for row in rows if row.granted is not None),
    )
