"""Builders for the ingest tests: signed bodies, an in-process event log, one ASGI exchange."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.types import Message

from billing_common.contracts.stripe_event_headers import StripeEventHeaders
from webhook_ingest.handlers import DeliveryHandler, DeliveryPolicy
from webhook_ingest.routes.stripe_webhook import PATH, StripeWebhook

SECRET = "whsec_current"
OLD_SECRET = "whsec_previous"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def event(**changes: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "type": "customer.subscription.updated",
        "created": int(NOW.timestamp()),
        "livemode": False,
        "api_version": "2026-10-28.endive",
        "data": {"object": {"id": "sub_1", "object": "subscription", "customer": "cus_1"}},
    } | changes


def body(**changes: Any) -> bytes:
    return json.dumps(event(**changes)).encode()


def signature(payload: bytes, *, secret: str = SECRET, at: datetime | int = NOW) -> str:
    seconds = int(at.timestamp()) if isinstance(at, datetime) else at
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + payload, hashlib.sha256)
    return f"t={seconds},v1={digest.hexdigest()}"


@dataclass
class MemoryEventLog:
    """Durable for as long as the test; raises `failure` when one is set."""

    records: list[tuple[bytes, bytes, StripeEventHeaders]] = field(default_factory=list)
    failure: Exception | None = None

    async def append(
        self, *, key: bytes, value: bytes, headers: StripeEventHeaders, timeout_seconds: float
    ) -> None:
        assert timeout_seconds > 0
        if self.failure is not None:
            raise self.failure
        self.records.append((key, value, headers))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["error"]["code"])


def endpoint(
    log: MemoryEventLog,
    *,
    livemode: bool = False,
    account_id: str | None = None,
    secrets: Sequence[str] = (SECRET,),
    read_timeout_seconds: float = 5,
) -> StripeWebhook:
    policy = DeliveryPolicy(
        secrets=secrets, livemode=livemode, account_id=account_id, publish_timeout_seconds=1
    )
    handler = DeliveryHandler(event_log=log, policy=policy, clock=lambda: NOW)
    return StripeWebhook(
        handler=handler,
        probes=Starlette(),
        clock=lambda: NOW,
        read_timeout_seconds=read_timeout_seconds,
    )


async def chunks_of(payload: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, max(len(payload), 1), size):
        yield payload[start : start + size]


async def post(
    app: StripeWebhook,
    payload: bytes | AsyncIterator[bytes],
    *,
    headers: Sequence[tuple[bytes, bytes]] = (),
    method: str = "POST",
    path: str = PATH,
) -> Answer:
    """One exchange, as a server would drive it: chunk by chunk, no Content-Length added."""
    source = chunks_of(payload) if isinstance(payload, bytes) else payload
    sent: list[Message] = []

    async def receive() -> Message:
        async for chunk in source:
            return {"type": "http.request", "body": chunk, "more_body": True}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    await app(scope, receive, send)
    start, *rest = sent
    return Answer(
        status=start["status"],
        headers={name.decode(): value.decode() for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in rest),
    )


async def deliver(app: StripeWebhook, payload: bytes, *, signed: str | None = None) -> Answer:
    header = signature(payload) if signed is None else signed
    return await post(app, payload, headers=[(b"stripe-signature", header.encode("latin-1"))])


async def drip(interval_seconds: float) -> AsyncIterator[bytes]:
    while True:
        await asyncio.sleep(interval_seconds)
        yield b"x"
