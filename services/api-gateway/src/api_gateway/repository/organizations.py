"""Organizations, external parties, and the grants on their accounts.

Rows are locked in the directory's order: the organization before its entity and its grants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, insert, select, update

from api_gateway.repository.directory import DirectoryRow
from billing_common.storage.insert_once import Conflict, insert_once
from billing_common.storage.tables import billable_entity_grants, identity_organizations
from billing_common.storage.transaction import WriteConnection

_organizations = identity_organizations.c
_grants = billable_entity_grants.c
_KEY: Final = "uq_identity_organizations_kind_external_id"


async def claim(
    connection: WriteConnection,
    *,
    kind: str,
    external_id: str,
    values: Mapping[str, Any],
    now: datetime,
) -> DirectoryRow:
    """Insert it, or lock the one that is there."""
    row = {
        "kind": kind,
        "external_id": external_id,
        **values,
        "created_at": now,
        "updated_at": now,
    }
    outcome = await insert_once(
        connection, identity_organizations, row, expected_conflicts=frozenset({_KEY})
    )
    if not isinstance(outcome, Conflict):
        return DirectoryRow(outcome.id, values["sync_version"], is_new=True)
    found = await connection.execute(
        select(_organizations.id, _organizations.sync_version)
        .where(_organizations.kind == kind, _organizations.external_id == external_id)
        .with_for_update()
    )
    stored = found.one()
    return DirectoryRow(stored.id, stored.sync_version, is_new=False)


async def change(
    connection: WriteConnection, organization_id: int, *, values: Mapping[str, Any], now: datetime
) -> None:
    """Overwrite a locked row."""
    await connection.execute(
        update(identity_organizations)
        .where(_organizations.id == organization_id)
        .values(**values, updated_at=now)
    )


async def find_grants(connection: WriteConnection, entity_id: int) -> dict[int, str]:
    """Permission by user id. Stable while the organization's row is locked."""
    rows = await connection.execute(
        select(_grants.user_id, _grants.permission).where(_grants.billable_entity_id == entity_id)
    )
    return {row.user_id: row.permission for row in rows}


async def remove_grants(
    connection: WriteConnection, entity_id: int, user_ids: Sequence[int]
) -> None:
    """These users may nothing any more."""
    if user_ids:
        await connection.execute(
            delete(billable_entity_grants).where(
                _grants.billable_entity_id == entity_id, _grants.user_id.in_(user_ids)
            )
        )


async def add_grants(
    connection: WriteConnection, entity_id: int, permissions: Mapping[int, str], *, now: datetime
) -> None:
    """One permission each, by user id."""
    if permissions:
        await connection.execute(
            insert(billable_entity_grants),
            [
                {
                    "billable_entity_id": entity_id,
                    "user_id": user_id,
                    "permission": permission,
                    "created_at": now,
                }
                for user_id, permission in sorted(permissions.items())
            ],
        )
