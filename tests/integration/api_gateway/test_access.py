from __future__ import annotations

import random
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import insert, select
from tests.fixtures.databases import Database
from tests.integration.api_gateway.gateways import (
    CheckoutByHand,
    Product,
    bearer,
    every_row,
    store_operation,
)

from billing_common.storage.tables import (
    billable_entities,
    billable_entity_grants,
    identity_users,
)

pytestmark = pytest.mark.connected

READ = "/api/billing/subscription"


class World:
    """ann owns acme, where bob is admin, mel a member; eve is elsewhere; solo has nothing else."""

    def __init__(self, product: Product, ids: dict[str, str]) -> None:
        self.product = product
        self.ids = ids

    async def read(self, subject: str, **headers: str) -> httpx.Response:
        return await self.product.get(READ, subject, **headers)

    async def write(self, subject: str, **headers: str) -> httpx.Response:
        # Never answered by anybody: 202 says that it was allowed.
        return await self.product.check_out(subject, headers={"Prefer": "wait=0"} | headers)


@pytest.fixture
async def world(product: Product) -> World:
    ids = {
        name: str((await product.put_user(name))["billableEntityId"])
        for name in ("ann", "bob", "mel", "eve", "solo")
    }
    members = [
        {"userExternalId": "ann", "role": "owner"},
        {"userExternalId": "bob", "role": "admin"},
        {"userExternalId": "mel", "role": "member"},
    ]
    for name, owner, who in (
        ("acme", "ann", members),
        ("rival", "eve", [{"userExternalId": "eve", "role": "owner"}]),
    ):
        synced = await product.put_workspace(name, owner=owner, members=who)
        ids[name] = str(synced["billableEntityId"])
    # Nobody states what an admin may: that is built in.
    return World(product, ids)


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


@pytest.mark.requirement("AUTH-03")
@pytest.mark.requirement("SCOPE-02")
async def test_the_account_is_chosen_by_selector_or_by_being_the_only_one(world: World) -> None:
    acme, solo = world.ids["acme"], world.ids["solo"]

    async def chosen(subject: str, query: str = "", **headers: str) -> str:
        answer = await world.product.get(READ + query, subject, **headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["billableEntity"]["id"])

    assert await chosen("solo") == solo
    assert await chosen("ann", **{"x-workspace-slug": "acme"}) == acme
    assert await chosen("ann", "?workspaceSlug=acme") == acme
    assert await chosen("ann", f"?billableEntityId={acme}") == acme
    own = world.ids["ann"]
    # A header before a parameter, an entity before a workspace.
    assert await chosen("ann", f"?billableEntityId={own}", **{"x-billable-entity-id": acme}) == acme
    assert await chosen("ann", f"?billableEntityId={own}", **{"x-workspace-slug": "acme"}) == own

    for ambiguous in (await world.read("ann"), await world.write("ann")):
        assert (ambiguous.status_code, code(ambiguous)) == (409, "workspace_selection_required")


@pytest.mark.requirement("AUTH-03")
async def test_unknown_and_foreign_look_the_same(world: World) -> None:
    rival = world.ids["rival"]
    answers = [
        await call("ann", **{"x-request-id": "r"} | headers)
        for call in (world.read, world.write)
        for headers in (
            {"x-billable-entity-id": rival},
            {"x-billable-entity-id": "999999999"},
            {"x-workspace-slug": "rival"},
            {"x-workspace-slug": "no-such-workspace"},
            {"x-billable-entity-id": world.ids["eve"]},
        )
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.content for answer in answers}) == 1
    assert code(answers[0]) == "billing_entity_forbidden"
    unknown_user = await world.read("nobody", **{"x-request-id": "r"})
    assert unknown_user.content == answers[0].content


@pytest.mark.requirement("AUTH-04")
async def test_members_read_and_only_managers_write(world: World) -> None:
    acme = {"x-workspace-slug": "acme"}
    for subject in ("ann", "bob", "mel"):
        assert (await world.read(subject, **acme)).status_code == 200
    for subject in ("ann", "bob"):
        assert (await world.write(subject, **acme)).status_code == 202
    refused = await world.write("mel", **acme)
    assert (refused.status_code, code(refused)) == (403, "billing_permission_required")
    assert (await world.write("solo")).status_code == 202


@pytest.mark.requirement("AUTH-02")
@pytest.mark.requirement("SCOPE-02")
async def test_surface_and_last_workspace_headers_change_nothing(world: World) -> None:
    forged = {
        "x-surface-id": "admin",
        "x-surface": "console",
        "x-last-active-workspace": "acme",
        "x-user-id": "ann",
        "x-forwarded-user": "ann",
    }
    for subject in ("mel", "eve", "solo"):
        for headers in ({}, {"x-workspace-slug": "acme"}, {"x-billable-entity-id": "1"}):
            plain = await world.read(subject, **{"x-request-id": "r"} | headers)
            other = await world.read(subject, **{"x-request-id": "r"} | headers | forged)
            assert (other.status_code, other.content) == (plain.status_code, plain.content)


async def test_a_malformed_selector_is_refused_even_when_another_one_is_fine(
    world: World,
) -> None:
    acme = world.ids["acme"]
    for headers, query, field in (
        ({"x-billable-entity-id": "0"}, "", "x-billable-entity-id"),
        ({"x-billable-entity-id": "1 or 1=1"}, "", "x-billable-entity-id"),
        ({"x-billable-entity-id": acme}, "?billableEntityId=abc", "billableEntityId"),
        ({"x-billable-entity-id": acme, "x-workspace-slug": "../x"}, "", "x-workspace-slug"),
        ({}, f"?billableEntityId={acme}&billableEntityId={acme}", "billableEntityId"),
        ({}, "?workspaceSlug=", "workspaceSlug"),
        ({}, "?workspaceSlug=%27%20or%201%3D1", "workspaceSlug"),
    ):
        answer = await world.product.get(READ + query, "ann", **headers)
        assert (answer.status_code, code(answer)) == (400, "validation_failed")
        assert list(answer.json()["error"]["field_errors"]) == [field]


async def test_grants_open_external_entities(world: World, database: Database) -> None:
    now = datetime.now(UTC)
    stamps = {"created_at": now, "updated_at": now}
    async with database.engine.begin() as connection:
        entity = await connection.execute(
            insert(billable_entities).values(
                entity_type="external", entity_ref="partner:1", status="active", **stamps
            )
        )
        users = dict(
            (row.external_id, row.id) for row in await connection.execute(select(identity_users))
        )
        for subject, permission in (("solo", "billing.read"), ("mel", "billing.manage")):
            await connection.execute(
                insert(billable_entity_grants).values(
                    billable_entity_id=entity.lastrowid,
                    user_id=users[subject],
                    permission=permission,
                    created_at=now,
                )
            )
    chosen = {"x-billable-entity-id": str(entity.lastrowid)}
    assert (await world.read("solo", **chosen)).status_code == 200
    assert code(await world.write("solo", **chosen)) == "billing_permission_required"
    assert (await world.write("mel", **chosen)).status_code == 202
    assert code(await world.read("ann", **chosen)) == "billing_entity_forbidden"
    assert code(await world.read("solo")) == "workspace_selection_required"


async def test_what_the_directory_closes_is_closed(world: World) -> None:
    await world.product.put_user("solo", status="inactive", version=2)
    assert code(await world.read("solo")) == "billing_entity_forbidden"
    members = [{"userExternalId": "ann", "role": "owner"}]
    await world.product.put_workspace("acme", owner="ann", members=members, version=2)
    acme = {"x-workspace-slug": "acme"}
    assert code(await world.read("bob", **acme)) == "billing_entity_forbidden"
    await world.product.put_workspace("acme", owner="ann", status="inactive", version=3)
    assert (await world.read("ann", **acme)).status_code == 200
    assert code(await world.write("ann", **acme)) == "billing_permission_required"
    assert (await world.read("ann")).json()["billableEntity"]["id"] == world.ids["ann"]


@pytest.mark.requirement("AUTH-01")
@pytest.mark.requirement("AUTH-08")
async def test_every_route_asks_who_calls(product: Product) -> None:
    routes = [
        ("GET", "/api/billing/plans"),
        ("GET", READ),
        ("GET", "/api/billing/timeline"),
        ("GET", "/api/billing/operations/" + "0" * 64),
        ("POST", "/api/billing/checkout"),
        ("GET", "/api/billing/no-such-thing"),
        ("PUT", "/internal/v1/users/x"),
        ("PUT", "/internal/v1/workspaces/x"),
        ("PUT", "/internal/v1/roles/x"),
        ("GET", "/internal/v1/no-such-thing"),
    ]
    user, service = bearer("ann"), {"Authorization": "Bearer service-token"}
    for method, path in routes:
        wrong = service if path.startswith("/api") else user
        for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer "}, wrong):
            answer = await product.client.request(method, path, headers=headers, content=b"{")
            assert (answer.status_code, code(answer)) == (401, "authentication_required")
            assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.requirement("AUTH-06")
async def test_reads_leave_no_trace(
    world: World, database: Database, checkout: CheckoutByHand
) -> None:
    key = "a" * 64
    await store_operation(database.engine, world.ids["acme"], operation_key=key)
    before = await every_row(database.engine)
    for subject in ("ann", "mel", "eve", "solo", "nobody"):
        for path in (
            "/api/billing/plans",
            READ,
            "/api/billing/timeline",
            f"/api/billing/operations/{key}",
        ):
            for headers in ({}, {"x-workspace-slug": "acme"}, {"x-billable-entity-id": "77"}):
                await world.product.get(path, subject, **headers)
    assert await every_row(database.engine) == before
    assert await checkout.has_silence()


@pytest.mark.requirement("AUTH-06")
async def test_nobody_sees_an_operation_of_a_foreign_account(
    world: World, database: Database
) -> None:
    key, path = "b" * 64, "/api/billing/operations/"
    await store_operation(
        database.engine,
        world.ids["acme"],
        operation_key=key,
        status="failed",
        response_status=404,
        response_body=b'{"error":{"code":"checkout_plan_not_found"}}',
    )
    seen = (await world.product.get(path + key, "mel")).json()
    assert (seen["status"], seen["httpStatus"], seen["result"]) == ("failed", 404, None)
    # Stored by somebody who said less than we do.
    assert seen["error"] == {"code": "checkout_plan_not_found", "message": "", "request_id": ""}
    foreign = await world.product.get(path + key, "eve", **{"x-request-id": "r"})
    for unknown_key in ("c" * 64, "B" * 64, "short", "b" * 63 + "\u00e9"):
        unknown = await world.product.get(path + unknown_key, "eve", **{"x-request-id": "r"})
        assert (unknown.status_code, unknown.content) == (404, foreign.content)


@pytest.mark.requirement("AUTH-06")
async def test_fuzzed_selectors_never_reach_a_foreign_account(product: Product) -> None:
    chance = random.Random(20261122)
    users = [f"user-{number}" for number in range(6)]
    owned = {name: str((await product.put_user(name))["billableEntityId"]) for name in users}
    allowed = {name: {owned[name]} for name in users}
    slugs: dict[str, str] = {}
    for number in range(6):
        owner, *others = chance.sample(users, 3)
        members = [{"userExternalId": name, "role": "member"} for name in others]
        slug = f"workspace-{number}"
        synced = await product.put_workspace(slug, owner=owner, members=members)
        slugs[slug] = str(synced["billableEntityId"])
        for name in (owner, *others):
            allowed[name].add(slugs[slug])
    entity_ids = [*owned.values(), *slugs.values(), "0", "-1", "999", "1,2", "1;2", "", "*"]
    names = [*slugs, "WORKSPACE-1", "workspace-1 ", "%", "*", "null", ""]
    reached = 0
    for _ in range(400):
        subject = chance.choice(users)
        headers, query = {}, []
        if chance.random() < 0.5:
            headers["x-billable-entity-id"] = chance.choice(entity_ids)
        if chance.random() < 0.5:
            headers["x-workspace-slug"] = chance.choice(names)
        if chance.random() < 0.3:
            query.append(("billableEntityId", chance.choice(entity_ids)))
        if chance.random() < 0.3:
            query.append(("workspaceSlug", chance.choice(names)))
        path = chance.choice([READ, "/api/billing/timeline"])
        answer = await product.client.get(path, params=query, headers=bearer(subject) | headers)
        assert answer.status_code in (200, 400, 403, 409)
        if answer.status_code == 200:
            reached += 1
            assert answer.json()["billableEntity"]["id"] in allowed[subject]
    assert reached > 20  # or the test would prove nothing
