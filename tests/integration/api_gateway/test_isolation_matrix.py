"""Every route of the document by everybody who must not get at somebody's things (G13).

Generated from docs/openapi.json: a route without a row, or a parameter that nobody judged, fails.
What a stranger is told about a thing of the victim's must be what is told about no thing at all:
the same status, headers and bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from tests.fixtures.databases import Database
from tests.integration.api_gateway.described_answers import ApiDocument
from tests.integration.api_gateway.gateways import (
    AUDIENCE,
    ISSUER,
    JWT_SECRET,
    SERVICE,
    Product,
    bearer,
    store_operation,
)
from tests.integration.api_gateway.matrix_rows import HARMLESS, NOTHING, ROWS, SELECTORS, Kind, Row

from api_gateway.decisions.service_tokens import Scope
from api_gateway.routes.service_access import SCOPE_MEMBER

pytestmark = [pytest.mark.requirement("AUTH-06"), pytest.mark.requirement("SCOPE-02")]

API = ApiDocument(json.loads((Path(__file__).parents[3] / "docs/openapi.json").read_text()))
ROUTES = {(method, path): operation for path, method, operation in API.operations()}
CANARY = "canary-of-acme"
VICTIM_KEY = "c" * 64
# Signed in, and without any right to the victim's account.
OUTSIDERS = ("eve", "stranger", "removed", "inactive")


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert set(ROWS) == set(ROUTES)


def test_every_parameter_was_judged() -> None:
    for route, operation in ROUTES.items():
        if ROWS[route].kind is Kind.SERVICE:
            continue
        names = {parameter["name"] for parameter in operation.get("parameters", [])}
        assert names <= set(NOTHING) | HARMLESS, route


@dataclass
class World:
    product: Product
    victims: dict[str, str]
    tokens: dict[str, dict[str, str]]
    accepted_key: str
    asked: int = 0

    async def ask(
        self, route: tuple[str, str], headers: dict[str, str], **values: str
    ) -> httpx.Response:
        """The route's request, with these values where the document puts them."""
        method, path = route
        row, sent, query = ROWS[route], {"X-Request-Id": "same"} | headers, {}
        for parameter in ROUTES[route].get("parameters", []):
            name, place = parameter["name"], parameter["in"]
            value = values.get(name, row.path.get(name))
            if value is None and name == "Idempotency-Key":
                value = "some-key"
            if value is None and place == "path":
                value = NOTHING[name]
            if value is None:
                continue
            if place == "path":
                path = path.replace(f"{{{name}}}", value)
            else:
                (sent if place == "header" else query)[name] = value
        if row.kind is Kind.ACCOUNT_WRITE:
            sent.setdefault("Prefer", "wait=0")
        content = None if row.body is None else json.dumps(row.body)
        if content is not None:
            sent["Content-Type"] = "application/json"
        self.asked += 1
        return await self.product.client.request(
            method, path, headers=sent, params=query, content=content
        )


def of_users() -> Iterator[tuple[tuple[str, str], Row]]:
    return ((route, row) for route, row in ROWS.items() if row.kind is not Kind.SERVICE)


def of_services() -> Iterator[tuple[tuple[str, str], Row]]:
    return ((route, row) for route, row in ROWS.items() if row.kind is Kind.SERVICE)


def seen(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    return answer.status_code, sorted(answer.headers.items()), answer.content


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def token(**changes: Any) -> dict[str, str]:
    claims = {
        "sub": "ann",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": datetime.now(UTC) + timedelta(minutes=5),
    } | changes
    return {"Authorization": f"Bearer {jwt.encode(claims, JWT_SECRET, algorithm='HS256')}"}


async def make_service_token(product: Product, name: str, **changes: Any) -> dict[str, str]:
    secret = f"token-of-{name}-that-nobody-guesses"
    digest = hashlib.sha256(secret.encode()).hexdigest()
    body = {"tokenSha256": digest, "scopes": list(Scope), "version": 1} | changes
    answer = await product.client.put(
        f"/internal/v1/service-tokens/{name}", json=body, headers=SERVICE
    )
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
async def world(product: Product, database: Database) -> World:
    for name in ("ann", "mel", "removed", "inactive", "eve"):
        await product.put_user(name)
    members = [
        {"userExternalId": name, "role": role}
        for name, role in (
            ("ann", "owner"),
            ("mel", "member"),
            ("removed", "admin"),
            ("inactive", "admin"),
        )
    ]
    acme = await product.put_workspace("acme", owner="ann", slug=CANARY, members=members)
    still = [member for member in members if member["userExternalId"] != "removed"]
    await product.put_workspace("acme", owner="ann", slug=CANARY, members=still, version=2)
    await product.put_user("inactive", status="inactive", version=2)
    entity_id = str(acme["billableEntityId"])
    await store_operation(
        database.engine,
        entity_id,
        client_idempotency_key="key-of-ann",
        operation_key=VICTIM_KEY,
        status="succeeded",
        response_status=200,
        response_body=json.dumps({"canary": CANARY}).encode(),
    )
    accepted = await product.check_out(
        "ann", key="another", headers={"Prefer": "wait=0", "x-workspace-slug": CANARY}
    )
    receipt = accepted.json()["location"].partition("receipt=")[2]
    seen_by_ann = await product.get(accepted.json()["location"], "ann")
    assert seen_by_ann.json()["status"] == "accepted"
    tokens = {
        "right": await make_service_token(product, "right"),
        "revoked": await make_service_token(product, "revoked", revoked=True),
        "expired": await make_service_token(
            product, "expired", expiresAt=(datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        ),
    }
    for scope in Scope:
        others = [other for other in Scope if other is not scope]
        tokens[f"without {scope}"] = await make_service_token(
            product, f"without-{scope}", scopes=others
        )
    return World(
        product,
        {
            "x-billable-entity-id": entity_id,
            "billableEntityId": entity_id,
            "x-workspace-slug": CANARY,
            "workspaceSlug": CANARY,
            "operation_key": VICTIM_KEY,
            "operationKey": VICTIM_KEY,
            "providerEventId": "evt_of_acme",
            "receipt": receipt,
            "Idempotency-Key": "key-of-ann",
        },
        tokens,
        accepted_key=accepted.json()["operationKey"],
    )


@pytest.mark.connected
async def test_what_is_the_victims_looks_like_nothing_to_outsiders(world: World) -> None:
    for route, row in of_users():
        if row.kind is Kind.SIGNED_IN:
            continue
        names = {parameter["name"] for parameter in ROUTES[route]["parameters"]}
        for actor in OUTSIDERS:
            for name in sorted(names & set(NOTHING)):
                place = f"{route} as {actor} with the victim's {name}"
                # A receipt is looked at only for the operation that it is of.
                beside = {"operation_key": world.accepted_key} if name == "receipt" else {}
                victims, nothing = (
                    beside | {name: world.victims[name]},
                    beside | {name: NOTHING[name]},
                )
                there = await world.ask(route, bearer(actor), **victims)
                nowhere = await world.ask(route, bearer(actor), **nothing)
                assert CANARY not in there.text, place
                if row.kind is Kind.ACCOUNT_WRITE and there.status_code == 202:
                    # Both were accepted, for the actor's own account and under its own name; what
                    # a command may do with somebody's thing is checkout's to refuse.
                    assert name not in SELECTORS, place
                    assert nowhere.status_code == 202, place
                    assert there.json()["operationKey"] != VICTIM_KEY
                    assert "idempotent-replayed" not in there.headers
                    continue
                assert seen(there) == seen(nowhere), place
                if name in SELECTORS and row.kind is not Kind.OPERATION:
                    assert (there.status_code, code(there)) == (403, "billing_entity_forbidden")
                if name == "operation_key" and row.kind is Kind.OPERATION:
                    assert (there.status_code, code(there)) == (404, "not_found")
    assert world.asked > 150


@pytest.mark.connected
@pytest.mark.requirement("AUTH-04")
async def test_a_member_sees_and_does_not_buy(world: World) -> None:
    for route, row in of_users():
        victim = {"operation_key": VICTIM_KEY} if row.kind is Kind.OPERATION else {}
        for selector in sorted(SELECTORS):
            if row.kind in (Kind.ACCOUNT_READ, Kind.ACCOUNT_WRITE):
                victim = {selector: world.victims[selector]}
            answer = await world.ask(route, bearer("mel"), **victim)
            if row.kind is Kind.ACCOUNT_WRITE:
                assert (answer.status_code, code(answer)) == (403, "billing_permission_required")
            else:
                assert answer.status_code == 200, (route, answer.text)


@pytest.mark.connected
@pytest.mark.requirement("AUTH-01")
async def test_nobody_gets_an_answer_without_a_token_of_the_right_kind(world: World) -> None:
    expired = datetime.now(UTC) - timedelta(hours=1)
    wrong_for_users = {
        "no token": {},
        "garbage": {"Authorization": "Bearer a.b.c"},
        "basic": {"Authorization": "Basic YW5uOmFubg=="},
        "expired": token(exp=expired),
        "another audience": token(aud="shop"),
        "another issuer": token(iss="https://evil.example"),
        "a service": world.tokens["right"],
        "the first service": SERVICE,
    }
    wrong_for_services = {
        "no token": {},
        "garbage": {"Authorization": "Bearer a.b.c"},
        "a user": bearer("ann"),
        "revoked": world.tokens["revoked"],
        "expired": world.tokens["expired"],
        "unknown": {"Authorization": "Bearer token-of-somebody-else"},
        "a digest": {"Authorization": f"Bearer {hashlib.sha256(b'service-token').hexdigest()}"},
    }
    for routes, wrong in ((of_users(), wrong_for_users), (of_services(), wrong_for_services)):
        for route, _ in routes:
            for name, headers in wrong.items():
                answer = await world.ask(route, headers)
                assert answer.status_code == 401, (route, name)
                assert code(answer) == "authentication_required", (route, name)
                assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.connected
@pytest.mark.requirement("AUTH-08")
async def test_a_service_may_what_its_scopes_say_and_nothing_else(world: World) -> None:
    for route, _ in of_services():
        scope = ROUTES[route][SCOPE_MEMBER]
        refused = await world.ask(route, world.tokens[f"without {scope}"])
        assert (refused.status_code, code(refused)) == (403, "service_scope_required"), route
        assert refused.json()["error"]["details"] == {"scope": scope}
        allowed = await world.ask(route, world.tokens["right"])
        assert allowed.status_code == 200, (route, allowed.text)


@pytest.mark.connected
@pytest.mark.requirement("AUTH-05")
async def test_no_body_takes_a_field_that_it_does_not_know(world: World) -> None:
    for route, row in ROWS.items():
        if row.body is None:
            continue
        headers = world.tokens["right"] if row.kind is Kind.SERVICE else bearer("ann")
        for name in ("id", "status_", "billableEntityId", "tenantId", "amountPaid", "customer"):
            body = json.dumps(row.body | {name: "1"})
            method, path = route
            for parameter, value in row.path.items():
                path = path.replace(f"{{{parameter}}}", value)
            answer = await world.product.client.request(
                method,
                path,
                content=body,
                headers=headers
                | {
                    "Content-Type": "application/json",
                    "Idempotency-Key": "k",
                    "x-workspace-slug": CANARY,
                },
            )
            assert answer.status_code == 400, (route, name)
            assert list(answer.json()["error"]["field_errors"]) == [name]


@pytest.mark.connected
async def test_two_tenants_at_once_never_see_each_other(world: World) -> None:
    """400 requests on one pool, each cancelled or not at random, then answers are counted."""
    read = ("GET", "/api/billing/subscription")
    acme = {"x-workspace-slug": CANARY}

    async def once(number: int) -> httpx.Response | None:
        who = ("ann", acme) if number % 2 else ("eve", {})
        task = asyncio.create_task(world.ask(read, bearer(who[0]) | who[1]))
        if number % 3 == 0:
            await asyncio.sleep(number % 7 / 1000)
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            return None

    answers = await asyncio.gather(*(once(number) for number in range(400)))
    answered = 0
    for number, answer in enumerate(answers):
        if answer is None or answer.status_code == 503:
            continue
        answered += 1
        assert answer.status_code == 200, answer.text
        slug = answer.json()["billableEntity"]["workspaceSlug"]
        assert slug == (CANARY if number % 2 else None)
    assert answered > 200
