"""Service tokens, organizations and grants, stated roles, and rates, over HTTP."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.fixtures.databases import Database
from tests.integration.api_gateway.gateways import (
    SERVICE,
    CheckoutByHand,
    Product,
    every_row,
    running_gateway,
)

from api_gateway.settings import GatewaySettings

pytestmark = pytest.mark.connected

READ = "/api/billing/subscription"


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


class Tokens:
    def __init__(self, product: Product) -> None:
        self.client = product.client

    async def put(
        self, name: str, secret: str, *, by: dict[str, str] = SERVICE, **changes: Any
    ) -> httpx.Response:
        body = {
            "tokenSha256": hashlib.sha256(secret.encode()).hexdigest(),
            "scopes": ["directory.write"],
            "version": 1,
        } | changes
        return await self.client.put(f"/internal/v1/service-tokens/{name}", json=body, headers=by)

    async def can_write(self, secret: str) -> int:
        body = {"permissions": [], "version": 1}
        answer = await self.client.put(
            "/internal/v1/roles/viewer", json=body, headers={"Authorization": f"Bearer {secret}"}
        )
        return answer.status_code


@pytest.mark.requirement("AUTH-08")
async def test_a_token_is_named_versioned_expiring_and_revocable_at_once(
    product: Product, database: Database
) -> None:
    tokens = Tokens(product)
    made = await tokens.put("sync", "first")
    assert made.json() == {
        "name": "sync",
        "scopes": ["directory.write"],
        "expiresAt": None,
        "revokedAt": None,
        "version": 1,
        "outcome": "created",
    }
    assert await tokens.can_write("first") == 200
    assert (await tokens.put("sync", "other")).json()["outcome"] == "unchanged"
    assert await tokens.can_write("other") == 401
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    rotated = await tokens.put("sync", "second", version=2, expiresAt=later)
    assert rotated.json()["outcome"] == "updated"
    assert (await tokens.can_write("first"), await tokens.can_write("second")) == (401, 200)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    await tokens.put("sync", "second", version=3, expiresAt=past)
    assert await tokens.can_write("second") == 401
    await tokens.put("sync", "second", version=4)
    assert await tokens.can_write("second") == 200
    revoked = await tokens.put("sync", "second", version=5, revoked=True)
    assert revoked.json()["revokedAt"] is not None
    assert await tokens.can_write("second") == 401
    revived = await tokens.put("sync", "second", version=6)
    assert (revived.status_code, code(revived)) == (400, "validation_failed")
    assert (await tokens.put("sync", "third", version=6)).status_code == 200
    taken = await tokens.put("another", "third")
    assert list(taken.json()["error"]["field_errors"]) == ["tokenSha256"]
    stored = str(await every_row(database.engine))
    assert "first" not in stored
    assert "third" not in stored
    read = await product.client.get("/internal/v1/service-tokens/sync", headers=SERVICE)
    assert (read.status_code, "tokenSha256" in read.json()) == (200, False)


@pytest.mark.requirement("AUTH-08")
async def test_nobody_gives_what_they_do_not_have_nor_takes_over_who_has_more(
    product: Product,
) -> None:
    tokens = Tokens(product)
    small = {"Authorization": "Bearer small"}
    await tokens.put("small", "small", scopes=["service_tokens.write"])
    await tokens.put("big", "big")
    for name, scopes in (("new", ["directory.write"]), ("big", ["service_tokens.write"])):
        answer = await tokens.put(name, "mine", by=small, scopes=scopes, version=9)
        assert (answer.status_code, code(answer)) == (403, "service_scope_required")
    assert (await tokens.put("new", "n", by=small, scopes=[])).status_code == 200
    unknown = await tokens.put("x", "x", scopes=["everything"])
    assert (unknown.status_code, code(unknown)) == (400, "validation_failed")
    for moment in ("9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00", "2026-01-01T00:00:00"):
        assert (await tokens.put("x", "x", expiresAt=moment)).status_code == 400


@pytest.mark.requirement("AUTH-04")
@pytest.mark.parametrize("kind", ["organizations", "external-accounts"])
async def test_grants_open_an_organization_and_its_sync_takes_them_away(
    product: Product, checkout: CheckoutByHand, kind: str
) -> None:
    for name in ("ann", "bob", "eve"):
        await product.put_user(name)

    async def put(version: int, status: str = "active", **grants: str) -> httpx.Response:
        body = {
            "name": "Umbrella",
            "status": status,
            "version": version,
            "grants": [
                {"userExternalId": name, "permission": f"billing.{word}"}
                for name, word in grants.items()
            ],
        }
        return await product.client.put(f"/internal/v1/{kind}/umbrella", json=body, headers=SERVICE)

    async def may(subject: str) -> tuple[int, int]:
        chosen = {"x-billable-entity-id": entity_id}
        write = await product.check_out(subject, headers=chosen | {"Prefer": "wait=0"})
        return (await product.get(READ, subject, **chosen)).status_code, write.status_code

    made = await put(5, ann="manage", bob="read")
    assert made.json()["outcome"] == "created"
    entity_id = made.json()["billableEntityId"]
    shown = await product.get(READ, "bob", **{"x-billable-entity-id": entity_id})
    word = {"organizations": "organization", "external-accounts": "external"}[kind]
    assert shown.json()["billableEntity"]["entityType"] == word
    assert [await may(name) for name in ("ann", "bob", "eve")] == [
        (200, 202),
        (200, 403),
        (403,) * 2,
    ]
    assert (await put(4, eve="manage")).json()["outcome"] == "stale"
    assert (await put(5, eve="manage")).json()["outcome"] == "unchanged"
    assert (await put(6, bob="manage")).json()["outcome"] == "updated"
    assert [await may(name) for name in ("ann", "bob", "eve")] == [
        (403,) * 2,
        (200, 202),
        (403,) * 2,
    ]
    await put(7, "inactive", bob="manage")
    assert await may("bob") == (200, 403)
    unknown = await put(8, nobody="read")
    assert (unknown.status_code, list(unknown.json()["error"]["field_errors"])) == (400, ["grants"])
    assert await may("bob") == (200, 403)


@pytest.mark.requirement("AUTH-04")
async def test_what_an_admin_may_is_built_in_until_the_product_states_it(
    product: Product, checkout: CheckoutByHand
) -> None:
    for name in ("ann", "bob"):
        await product.put_user(name)
    members = [{"userExternalId": "bob", "role": "admin"}]
    await product.put_workspace("acme", owner="ann", members=members)

    async def bob_may() -> bool:
        answer = await product.check_out(
            "bob", headers={"x-workspace-slug": "acme", "Prefer": "wait=0"}
        )
        return answer.status_code == 202

    async def state(*permissions: str, **more: int) -> dict[str, Any]:
        answer = await product.client.put(
            "/internal/v1/roles/admin",
            json={"permissions": list(permissions), **more},
            headers=SERVICE,
        )
        found: dict[str, Any] = answer.json()
        return found

    assert await bob_may()
    stated = await state(version=3)
    assert (stated["outcome"], stated["permissions"], stated["version"]) == ("created", [], 3)
    assert not await bob_may()
    assert (await state("*", version=2))["outcome"] == "stale"
    assert not await bob_may()
    assert await state("workspace.billing.manage") == {
        "role": "admin",
        "permissions": ["workspace.billing.manage"],
        "version": 4,
        "outcome": "updated",
    }
    assert await bob_may()


@pytest.mark.requirement("SCOPE-11")
async def test_one_account_that_asks_too_often_waits_and_the_others_do_not(
    gateway_settings: GatewaySettings, checkout: CheckoutByHand
) -> None:
    fields = gateway_settings.model_dump(by_alias=False) | {
        "rate_account_writes_per_minute": 3.0,
        "rate_user_per_second": 2.0,  # twenty at once
    }
    async with running_gateway(GatewaySettings.model_validate(fields)) as client:
        product = Product(client)
        for name in ("ann", "eve"):
            await product.put_user(name)
        at_once = {"Prefer": "wait=0"}
        answers = [
            await product.check_out("ann", key=f"card-{number}", headers=at_once)
            for number in range(6)
        ]
        assert [answer.status_code for answer in answers] == [202] * 3 + [429] * 3
        assert code(answers[-1]) == "rate_limited"
        assert answers[-1].json()["error"]["details"] == {"limit": "account_writes"}
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
        assert (await product.check_out("eve", headers=at_once)).status_code == 202
        assert (await product.get(READ, "ann")).status_code == 200
        reads = [await product.get(READ, "ann") for _ in range(30)]
        refused = [answer for answer in reads if answer.status_code == 429]
        assert 1 <= len(refused) <= 25
        assert refused[0].json()["error"]["details"] == {"limit": "user"}
        assert (await product.get(READ, "eve")).status_code == 200
        metrics = (await client.get("/metrics")).text
        assert 'billing_rate_limited_total{limit="account_writes"}' in metrics
