"""POST /webhooks/stripe as a raw ASGI application: this path is the one that must be fast."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import uuid4

from starlette.types import ASGIApp, Receive, Scope, Send

from billing_common.contracts.problem import CONTENT_TYPE, problem_body
from billing_common.domain.failure_codes import FAILURES, FailureCode
from billing_common.observability.metrics import WEBHOOK_DURABLE_SECONDS, WEBHOOKS_RECEIVED
from webhook_ingest.handlers import DeliveryHandler
from webhook_ingest.routes.body_reader import BodyNotReceived, BodyTooLarge, read_body
from webhook_ingest.settings import BODY_BYTES_MAX, READ_TIMEOUT_SECONDS, RETRY_AFTER_SECONDS

PATH: Final = "/webhooks/stripe"
_OK_BODY: Final = b'{"ok":true}'
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})

Headers = list[tuple[bytes, bytes]]


class StripeWebhook:
    """The endpoint, and in front of `probes`; every answer carries X-Request-Id."""

    def __init__(
        self,
        *,
        handler: DeliveryHandler,
        probes: ASGIApp,
        clock: Callable[[], datetime],
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> None:
        self._handler = handler
        self._probes = probes
        self._clock = clock
        self._read_timeout_seconds = read_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. Raises nothing for any request; the lifespan belongs to `probes`."""
        if scope["type"] != "http" or scope["path"] in _PROBES:
            await self._probes(scope, receive, send)
            return
        request_id = _request_id(_header_values(scope, b"x-request-id"))
        if scope["path"] != PATH:
            await _refuse(send, FailureCode.NOT_FOUND, request_id, has_read_body=False)
        elif scope["method"] != "POST":
            await _refuse(send, FailureCode.METHOD_NOT_ALLOWED, request_id, has_read_body=False)
        else:
            await self._receive_delivery(scope, receive, send, request_id)

    async def _receive_delivery(
        self, scope: Scope, receive: Receive, send: Send, request_id: str
    ) -> None:
        received_at = self._clock()
        lengths = _header_values(scope, b"content-length")
        try:
            payload = await read_body(
                receive,
                announced_length=lengths[0] if lengths else None,
                size_bytes_max=BODY_BYTES_MAX,
                timeout_seconds=self._read_timeout_seconds,
            )
        except BodyTooLarge:
            await _refuse(send, FailureCode.PAYLOAD_TOO_LARGE, request_id, has_read_body=False)
            return
        except BodyNotReceived:
            await _refuse(send, FailureCode.WEBHOOK_BODY_MISSING, request_id, has_read_body=False)
            return
        signatures = _header_values(scope, b"stripe-signature")
        # Two headers join as HTTP says; verify() then refuses them for their two times.
        signature = b",".join(signatures).decode("latin-1") if signatures else None
        code = await self._handler.accept(payload, signature=signature, received_at=received_at)
        if code is not None:
            await _refuse(send, code, request_id, has_read_body=True)
            return
        WEBHOOK_DURABLE_SECONDS.observe((self._clock() - received_at).total_seconds())
        WEBHOOKS_RECEIVED.labels(outcome="durable").inc()
        headers = [(b"content-type", b"application/json")]
        await _answer(send, 200, _OK_BODY, headers, request_id)


async def _refuse(send: Send, code: FailureCode, request_id: str, *, has_read_body: bool) -> None:
    WEBHOOKS_RECEIVED.labels(outcome=code.value).inc()
    headers: Headers = [(b"content-type", CONTENT_TYPE.encode())]
    if not has_read_body:
        # What is still on its way would be taken for the next request.
        headers.append((b"connection", b"close"))
    if code is FailureCode.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"POST"))
    if code is FailureCode.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
    body = problem_body(code, request_id=request_id).encode()
    await _answer(send, FAILURES[code].http_status, body, headers, request_id)


async def _answer(send: Send, status: int, body: bytes, headers: Headers, request_id: str) -> None:
    headers.append((b"content-length", str(len(body)).encode()))
    headers.append((b"x-request-id", request_id.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _header_values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


def _request_id(sent: list[bytes]) -> str:
    if len(sent) == 1 and _REQUEST_ID.fullmatch(sent[0]):
        return sent[0].decode("ascii")
    return uuid4().hex
