"""Buyers who behave: the same key again until there is an answer, and one payment."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from tests.fixtures.stack_processes import DOUBLE, WholeStack

from holdfast_cli.tokens import mint_token

PLAN: Final = "starter"
_TIMEOUT_SECONDS: Final = 40.0
_PAUSE_SECONDS_MAX: Final = 1.0
# Asked again with the same key, as the API's documentation says.
_ASK_AGAIN_CODES: Final = frozenset(
    {"request_in_progress", "service_unavailable", "command_deadline_elapsed"}
)


@dataclass(frozen=True, slots=True)
class Buyer:
    """A user of the product, and the account that is billed."""

    subject: str
    entity_id: int
    headers: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that can be paid, and the exact answer that said so."""

    buyer: Buyer
    key: str
    operation_key: str
    checkout_url: str
    body: bytes

    @property
    def session_id(self) -> str:
        return self.checkout_url.rsplit("/", 1)[-1]


class Market:
    """The product's frontend and backend, and Stripe's hosted page. `retries` counts by reason."""

    def __init__(self, stack: WholeStack, gateway: httpx.AsyncClient, page: httpx.AsyncClient):
        self._stack = stack
        self.gateway = gateway
        self._page = page
        self.retries: Counter[str] = Counter()
        self._run = secrets.token_hex(4)

    async def buyers(self, count: int) -> list[Buyer]:
        """New users, each with a billing account of its own, made by the product's backend."""
        room = asyncio.Semaphore(8)

        async def make(number: int) -> Buyer:
            async with room:
                return await self._make_buyer(f"buyer-{self._run}-{number}")

        return list(await asyncio.gather(*map(make, range(count))))

    async def workspace_buyer(self) -> Buyer:
        """A user who buys for a workspace and owns it; selected by its slug."""
        user = await self._make_buyer(f"owner-{self._run}")
        slug = f"space-{self._run}"
        answer = await self._put(
            f"/internal/v1/workspaces/{slug}",
            {
                "slug": slug,
                "name": "A workspace",
                "ownerExternalId": user.subject,
                "members": [{"userExternalId": user.subject, "role": "owner"}],
            },
        )
        headers = {"Authorization": user.headers["Authorization"], "X-Workspace-Slug": slug}
        return Buyer(user.subject, int(answer["billableEntityId"]), headers)

    async def ask(
        self, buyer: Buyer, *, key: str, plan: str = PLAN, wait_seconds: int | None = None
    ) -> httpx.Response:
        """One POST /api/billing/checkout, whatever it is answered with."""
        prefer = {} if wait_seconds is None else {"Prefer": f"wait={wait_seconds}"}
        return await self.gateway.post(
            "/api/billing/checkout",
            json={"planCode": plan, "successPath": "/thanks", "cancelPath": "/sorry"},
            headers={**buyer.headers, **prefer, "Idempotency-Key": key},
        )

    async def open_checkout(self, buyer: Buyer, *, key: str, deadline_seconds: float) -> Opened:
        """Ask, and ask again, with the same key until there is a session to pay."""
        async with asyncio.timeout(deadline_seconds):
            while True:
                try:
                    answer = await self.ask(buyer, key=key)
                except httpx.TransportError as error:
                    self.retries[type(error).__name__] += 1
                    await asyncio.sleep(0.2)
                    continue
                if answer.status_code == 200:
                    return opened(buyer, key, answer)
                await self._wait_as_told(answer)

    async def pay(self, bought: Opened) -> None:
        """Press "pay" on the hosted page, once."""
        answer = await self._page.post(f"{bought.checkout_url}/pay", data={})
        assert answer.status_code == 303, f"{bought.session_id}: {answer.status_code} {answer.text}"

    async def get(self, path: str, buyer: Buyer) -> httpx.Response:
        return await self.gateway.get(path, headers=buyer.headers)

    async def _wait_as_told(self, answer: httpx.Response) -> None:
        if answer.status_code == 202:
            self.retries["202"] += 1
        else:
            code = answer.json()["error"]["code"]
            assert code in _ASK_AGAIN_CODES, f"{answer.status_code} {answer.text}"
            self.retries[f"{answer.status_code} {code}"] += 1
        told = float(answer.headers["Retry-After"])
        await asyncio.sleep(min(told, _PAUSE_SECONDS_MAX))

    async def _make_buyer(self, subject: str) -> Buyer:
        answer = await self._put(f"/internal/v1/users/{subject}", {"displayName": subject})
        entity_id = int(answer["billableEntityId"])
        token = mint_token(
            self._stack.jwt_shared_secret,
            subject=subject,
            now=datetime.now(UTC),
            lifetime=timedelta(hours=1),
        )
        headers = {"Authorization": f"Bearer {token}", "X-Billable-Entity-Id": str(entity_id)}
        return Buyer(subject, entity_id, headers)

    async def _put(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        answer = await self.gateway.put(
            path,
            json={"status": "active", "version": 1, **document},
            headers={"Authorization": f"Bearer {self._stack.service_token}"},
        )
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        body: dict[str, Any] = answer.json()
        return body


def opened(buyer: Buyer, key: str, answer: httpx.Response) -> Opened:
    """A 200 read."""
    body = answer.json()
    return Opened(
        buyer=buyer,
        key=key,
        operation_key=body["operationKey"],
        checkout_url=body["checkoutSession"]["checkoutUrl"],
        body=answer.content,
    )


@asynccontextmanager
async def market(stack: WholeStack) -> AsyncIterator[Market]:
    """Open for one test."""
    limits = httpx.Limits(max_connections=256)
    options: dict[str, Any] = {"timeout": _TIMEOUT_SECONDS, "trust_env": False, "limits": limits}
    async with (
        httpx.AsyncClient(base_url=stack.url_of("api-gateway"), **options) as gateway,
        httpx.AsyncClient(base_url=stack.url_of(DOUBLE), **options) as page,
    ):
        yield Market(stack, gateway, page)
