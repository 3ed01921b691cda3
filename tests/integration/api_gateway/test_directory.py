from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select
from tests.fixtures.databases import Database
from tests.integration.api_gateway.gateways import SERVICE, Product, every_row

from billing_common.storage.tables import (
    billable_entities,
    identity_memberships,
    identity_role_permissions,
    identity_users,
    identity_workspaces,
)

pytestmark = [pytest.mark.connected, pytest.mark.requirement("AUTH-08")]


async def rows(database: Database, *columns: Any) -> list[tuple[Any, ...]]:
    async with database.engine.connect() as connection:
        found = await connection.execute(select(*columns).order_by(columns[0]))
        return [tuple(row) for row in found]


async def test_a_sync_is_idempotent_versioned_and_makes_the_entity(
    product: Product, database: Database
) -> None:
    first = await product.put_user("ann", version=5)
    assert (first["outcome"], first["version"]) == ("created", 5)
    stored = await every_row(database.engine)
    again = await product.put_user("ann", version=5, displayName="other")
    assert again == first | {"outcome": "unchanged"}
    stale = await product.put_user("ann", version=4, status="inactive")
    assert stale == first | {"outcome": "stale"}
    assert await every_row(database.engine) == stored
    newer = await product.put_user("ann", version=6, displayName="Ann", status="inactive")
    assert newer == first | {"outcome": "updated", "version": 6}
    users = identity_users.c
    [(external_id, name, status, version)] = await rows(
        database, users.external_id, users.display_name, users.status, users.sync_version
    )
    assert (external_id, name, status, version) == ("ann", "Ann", "inactive", 6)
    entities = billable_entities.c
    [(entity_type, ref, entity_status)] = await rows(
        database, entities.entity_type, entities.entity_ref, entities.status
    )
    assert entity_type == "user"
    assert ref.startswith("user:")
    assert entity_status == "inactive"


async def test_a_workspace_sync_states_all_members(product: Product, database: Database) -> None:
    for name in ("ann", "bob", "mel"):
        await product.put_user(name)

    def members(**roles: str) -> list[dict[str, str]]:
        return [{"userExternalId": name, "role": role} for name, role in roles.items()]

    await product.put_workspace(
        "acme", owner="ann", members=members(ann="owner", bob="admin", mel="member")
    )
    await product.put_workspace(
        "acme", owner="bob", slug="acme-2", version=2, members=members(bob="owner", mel="admin")
    )
    users, member = identity_users.c, identity_memberships.c
    async with database.engine.connect() as connection:
        found = await connection.execute(
            select(users.external_id, member.role)
            .join(identity_users, users.id == member.user_id)
            .order_by(users.external_id)
        )
        assert [tuple(row) for row in found] == [("bob", "owner"), ("mel", "admin")]
        owner = await connection.execute(
            select(users.external_id, identity_workspaces.c.slug)
            .join(identity_users, users.id == identity_workspaces.c.owner_user_id)
            .join(
                billable_entities,
                billable_entities.c.owner_user_id == identity_workspaces.c.owner_user_id,
            )
            .where(billable_entities.c.entity_type == "workspace")
        )
        assert tuple(owner.one()) == ("bob", "acme-2")


async def test_what_does_not_fit_together_is_refused_whole(
    product: Product, database: Database
) -> None:
    await product.put_user("ann")
    await product.put_workspace("acme", owner="ann")
    before = await every_row(database.engine)
    body: dict[str, Any] = {
        "slug": "other",
        "name": "Other",
        "ownerExternalId": "ann",
        "status": "active",
        "version": 1,
        "members": [],
    }
    for change, field in (
        ({"slug": "acme"}, "slug"),
        ({"slug": "../acme"}, "slug"),
        ({"ownerExternalId": "nobody"}, "ownerExternalId"),
        ({"members": [{"userExternalId": "nobody", "role": "admin"}]}, "members"),
        ({"members": [{"userExternalId": "ann", "role": "a"}] * 2}, "members"),
        ({"version": 0}, "version"),
        ({"version": "1"}, "version"),
        ({"status": "deleted"}, "status"),
        ({"permissions": ["*"]}, "permissions"),
    ):
        answer = await product.client.put(
            "/internal/v1/workspaces/other", json=body | change, headers=SERVICE
        )
        assert answer.status_code == 400, answer.text
        assert list(answer.json()["error"]["field_errors"]) == [field]
    assert await every_row(database.engine) == before


async def test_syncs_at_once_end_in_one_user_and_the_newest_version(
    product: Product, database: Database
) -> None:
    answers = await asyncio.gather(
        *(product.put_user("ann", version=version) for version in range(1, 13))
    )
    assert len({answer["billableEntityId"] for answer in answers}) == 1
    assert await rows(database, identity_users.c.sync_version) == [(12,)]
    assert len(await rows(database, billable_entities.c.id)) == 1


async def test_a_role_allows_exactly_what_was_sent_last(
    product: Product, database: Database
) -> None:
    for permissions in (["workspace.billing.manage", "a.b"], ["*"], ["*"], []):
        answer = await product.client.put(
            "/internal/v1/roles/admin", json={"permissions": permissions}, headers=SERVICE
        )
        assert answer.status_code == 200
        roles = identity_role_permissions.c
        stored = await rows(database, roles.permission, roles.role)
        assert stored == [(permission, "admin") for permission in sorted(permissions)]
