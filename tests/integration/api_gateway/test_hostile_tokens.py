"""A1: tokens that no honest login service makes, sent to a whole gateway. All are 401."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from tests.fixtures.databases import Database
from tests.integration.api_gateway.gateways import (
    AUDIENCE,
    ISSUER,
    Product,
    running_gateway,
)
from tests.unit.api_gateway.test_access_tokens import (
    EC_KEY,
    HOSTILE,
    JWKS,
    NOW,
    OTHER_RSA_KEY,
    claims,
    public_jwk,
    signed,
)

from api_gateway.settings import GatewaySettings
from billing_common.process.bounded_fetch import FetchFailed, fetch_text

pytestmark = [pytest.mark.connected, pytest.mark.requirement("AUTH-01")]

READ = "/api/billing/plans"


def with_keys(wanted: GatewaySettings, **changes: object) -> GatewaySettings:
    fields = wanted.model_dump(by_alias=False) | {"jwt_shared_secret": None} | changes
    return GatewaySettings.model_validate(fields)


def right_token(**headers: object) -> bytes:
    return signed(claims(iss=ISSUER, aud=AUDIENCE), **headers).encode()


async def ask(client: httpx.AsyncClient, token: bytes) -> httpx.Response:
    return await client.get(READ, headers=[(b"Authorization", b"Bearer " + token)])


async def test_forty_hostile_tokens_and_more_are_nobody(
    gateway_settings: GatewaySettings, tmp_path: Path
) -> None:
    assert (ISSUER, AUDIENCE) == ("https://login.example", "billing")
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(JWKS))
    wanted = with_keys(gateway_settings, jwt_jwks_file=path)
    async with running_gateway(wanted, clock=lambda: NOW) as client:
        assert (await ask(client, right_token())).status_code == 200
        assert len(HOSTILE) >= 40
        for name, token in HOSTILE.items():
            answer = await ask(client, token.encode("utf-8", "surrogatepass"))
            assert answer.status_code == 401, name
            assert answer.json()["error"]["code"] == "authentication_required", name
            assert answer.headers["www-authenticate"] == "Bearer", name
        other_tenants = signed(claims(sub="ann", tenant="somebody-else", workspace="rival"))
        answer = await client.get(
            "/api/billing/subscription", headers={"Authorization": f"Bearer {other_tenants}"}
        )
        assert answer.json()["error"]["code"] == "billing_entity_forbidden"  # claims open nothing


class LoginService:
    """Publishes a key set over plain HTTP on this machine."""

    def __init__(self) -> None:
        self.answer = b""
        self.asked = 0
        self.delay_seconds = 0.0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/keys"

    def publish(self, *entries: object) -> None:
        body = json.dumps({"keys": list(entries)}).encode()
        self.answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        await asyncio.sleep(self.delay_seconds)
        writer.write(self.answer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def login_service() -> AsyncIterator[LoginService]:
    login = LoginService()
    under_way: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        await login.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    login.port = server.sockets[0].getsockname()[1]
    async with server:
        yield login
        await asyncio.wait(under_way)


async def test_keys_of_a_login_service_rotate(
    gateway_settings: GatewaySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api_gateway.handlers.key_ring.ASKED_AGAIN_SECONDS_MIN", 0.0)
    rsa, ec = JWKS["keys"][0], public_jwk(EC_KEY, "ec-2", "ES256")
    encryption = rsa | {"kid": "for-something-else", "use": "enc"}
    async with login_service() as login:
        login.answer = b"HTTP/1.1 503 Away\r\ncontent-length: 0\r\n\r\n"
        wanted = with_keys(gateway_settings, jwt_jwks_url=login.url)
        async with running_gateway(wanted, clock=lambda: NOW) as client:
            unknown = await ask(client, right_token())  # nobody can be told that theirs is wrong
            assert (unknown.status_code, unknown.headers["retry-after"]) == (503, "5")
            login.publish(rsa, encryption)
            assert (await ask(client, right_token())).status_code == 200
            login.publish(rsa, ec)
            new = right_token(key=EC_KEY, alg="ES256", kid="ec-2")
            assert (await ask(client, new)).status_code == 200
            login.publish(ec)
            stolen = right_token(key=OTHER_RSA_KEY, kid="looks-new")
            assert (await ask(client, stolen)).status_code == 401
            assert (await ask(client, right_token())).status_code == 401  # taken out
            login.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{"
            assert (await ask(client, new)).status_code == 200  # what is known stays good


async def test_a_changed_key_file_is_read_again(
    gateway_settings: GatewaySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api_gateway.handlers.key_ring.ASKED_AGAIN_SECONDS_MIN", 0.0)
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [JWKS["keys"][0]]}))
    wanted = with_keys(gateway_settings, jwt_jwks_file=path)
    new = right_token(key=EC_KEY, alg="ES256", kid="ec")
    async with running_gateway(wanted, clock=lambda: NOW) as client:
        assert (await ask(client, new)).status_code == 401
        path.write_text("half of a ")
        assert (await ask(client, new)).status_code == 401
        assert (await ask(client, right_token())).status_code == 200
        path.write_text(json.dumps(JWKS))
        assert (await ask(client, new)).status_code == 200


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n", "302"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n" + b"x" * 70000, "larger"),
        (b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe", "UTF-8"),
        (b"not http\r\n\r\n", "fetched"),
        (b"", "fetched"),
    ],
)
async def test_a_fetch_is_bounded(answer: bytes, says: str) -> None:
    async with login_service() as login:
        login.answer = answer
        with pytest.raises(FetchFailed, match=says):
            await fetch_text(login.url)
        login.delay_seconds = 0.3
        with pytest.raises(FetchFailed, match="longer"):
            await fetch_text(login.url, timeout_seconds=0.05)


async def test_claims_make_what_the_product_never_stated_when_they_are_asked_to(
    gateway_settings: GatewaySettings, database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(JWKS))
    seconds = int(NOW.timestamp())

    def headers(subject: str, *workspaces: dict[str, str], **more: object) -> dict[str, str]:
        claim = {"name": subject.title(), "workspaces": list(workspaces)}
        token = signed(
            claims(iss=ISSUER, aud=AUDIENCE, sub=subject, iat=seconds, holdfast=claim, **more)
        )
        return {"Authorization": f"Bearer {token}"}

    def workspace(role: str, slug: str = "acme") -> dict[str, str]:
        return {"id": f"w-{slug}", "slug": slug, "name": slug.title(), "role": role}

    read = "/api/billing/subscription?workspaceSlug=acme"
    off = with_keys(gateway_settings, jwt_jwks_file=path)
    async with running_gateway(off, clock=lambda: NOW) as client:
        answer = await client.get(read, headers=headers("ann", workspace("owner")))
        assert answer.status_code == 403
    wanted = with_keys(gateway_settings, jwt_jwks_file=path, provisions_from_claims=True)
    async with running_gateway(wanted, clock=lambda: NOW) as client:
        product = Product(client)
        # A member's token makes no workspace; its owner's does; then the member's adds the member.
        early = await client.get(read, headers=headers("mel", workspace("member")))
        assert early.status_code == 403
        for _ in range(2):
            made = await client.get(read, headers=headers("ann", workspace("owner")))
            assert made.status_code == 200
        member = headers("mel", workspace("member"), jti="another")
        later = await client.get(read, headers=member)
        assert later.status_code == 403  # this very claim was seen and is not read twice
        renamed = headers("mel", workspace("member") | {"name": "ACME"})
        assert (await client.get(read, headers=renamed)).status_code == 200
        # Once the product speaks, tokens add nothing: who was removed stays removed.
        await product.put_workspace("w-acme", owner="ann", slug="acme", version=1)
        again = headers("mel", workspace("admin") | {"name": "Acme again"})
        assert (await client.get(read, headers=again)).status_code == 403
        taken = headers("eve", workspace("owner") | {"id": "w-other"})
        assert (await client.get(read, headers=taken)).status_code == 403
