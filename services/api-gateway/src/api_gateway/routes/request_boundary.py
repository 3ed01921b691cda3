"""What every request crosses: an id, limits, who is calling, how often, and a metric. Raw ASGI.

Whole prefixes are closed here, so that a route added later cannot forget to ask who calls; and
nothing of a body is read for a caller who is nobody or who comes too often.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_gateway.handlers.authentication import Authenticator
from api_gateway.handlers.claim_provisioning import ClaimProvisioner
from api_gateway.handlers.rate_limits import RateLimiter
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.routes.problems import problem_response
from api_gateway.settings import (
    BODY_BYTES_MAX,
    HEADER_BYTES_MAX,
    INTERNAL_BODY_BYTES_MAX,
    READ_TIMEOUT_SECONDS,
)
from billing_common.domain.errors import TransientError
from billing_common.domain.failure_codes import FailureCode
from billing_common.observability.metrics import HTTP_REQUESTS, HTTP_SECONDS

log = structlog.get_logger()

PUBLIC_PREFIX: Final = "/api/"
INTERNAL_PREFIX: Final = "/internal/"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_LENGTH: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_UNMATCHED: Final = "unmatched"
# TRACE, CONNECT, OPTIONS (there is no CORS here) and invented ones have no business with us.
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
HEADERS_MAX: Final = 100
# Two of one of these are two opinions, of which a proxy and we might each take another.
_AT_MOST_ONCE: Final = ("host", "content-length", "transfer-encoding", "content-type")


class Refused(Exception):  # noqa: N818 - exceptions are facts here
    """The request ends here; `must_close`: unread bytes are still on their way."""

    def __init__(
        self,
        code: FailureCode,
        *,
        details: dict[str, Any] | None = None,
        field_errors: dict[str, str] | None = None,
        retry_after_seconds: int | None = None,
        must_close: bool = False,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.details = details
        self.field_errors = field_errors
        self.retry_after_seconds = retry_after_seconds
        self.headers = {**(headers or {}), **({"Connection": "close"} if must_close else {})}


class SenderGone(Exception):  # noqa: N818
    """Nobody is there to be answered."""


class RequestBoundary:
    """Wraps the application. Raises nothing."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        authenticator: Authenticator,
        limiter: RateLimiter,
        provisioner: ClaimProvisioner | None = None,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> None:
        """With a `provisioner`, people and workspaces that a token claims are made first."""
        self._app = app
        self._authenticator = authenticator
        self._limiter = limiter
        self._provisioner = provisioner
        self._read_timeout_seconds = read_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers.getlist("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        outgoing = _Outgoing(send, request_id)
        started = time.perf_counter()
        try:
            await self._pass_on(scope, headers, receive, outgoing)
        except Refused as refused:
            response = problem_response(
                refused.code,
                request_id=request_id,
                details=refused.details,
                field_errors=refused.field_errors,
                retry_after_seconds=refused.retry_after_seconds,
                headers=refused.headers,
            )
            await response(scope, receive, outgoing)
        except SenderGone:
            return
        except Exception as error:  # noqa: BLE001 - answered and logged below the boundary already
            # Starlette raises an answered error again, for a server that would log its text.
            log.error("gateway.request_failed", request_id=request_id, error=error)
        route = getattr(scope.get("route"), "path", _UNMATCHED)
        HTTP_REQUESTS.labels(route=route, status=str(outgoing.status)).inc()
        HTTP_SECONDS.labels(route=route).observe(time.perf_counter() - started)

    async def _pass_on(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        _check_head(scope, headers)
        try:
            await self._admit(scope, path, headers.getlist("authorization"))
        except RequestRefused as refused:  # too often
            raise Refused(
                refused.code,
                details=refused.details,
                retry_after_seconds=refused.retry_after_seconds,
                must_close=_has_body(scope),
            ) from None
        except TransientError as error:  # the caller may be somebody, and we cannot know
            log.warning("gateway.caller_unknown", code=error.code, error=error)
            raise Refused(FailureCode.SERVICE_UNAVAILABLE, must_close=_has_body(scope)) from None
        is_internal = path.startswith(INTERNAL_PREFIX)
        body = await self._read_body(
            receive,
            headers.getlist("content-length"),
            size_bytes_max=INTERNAL_BODY_BYTES_MAX if is_internal else BODY_BYTES_MAX,
        )
        await self._app(scope, _replay(body, receive), send)

    async def _admit(self, scope: Scope, path: str, authorizations: Sequence[str]) -> None:
        if path.startswith(PUBLIC_PREFIX):
            identity = await self._authenticator.user(authorizations)
            if identity is None:
                raise Refused(FailureCode.AUTHENTICATION_REQUIRED, must_close=_has_body(scope))
            self._limiter.admit_user(identity.subject)
            if self._provisioner is not None:
                await self._provisioner.provision(identity)
            scope["state"]["subject"] = identity.subject
        elif path.startswith(INTERNAL_PREFIX):
            service = await self._authenticator.service(authorizations)
            if service is None:
                raise Refused(FailureCode.AUTHENTICATION_REQUIRED, must_close=_has_body(scope))
            self._limiter.admit_service(service.name)
            scope["state"]["service"] = service

    async def _read_body(
        self, receive: Receive, lengths: Sequence[str], *, size_bytes_max: int
    ) -> bytes:
        if lengths and (not _LENGTH.fullmatch(lengths[0]) or int(lengths[0]) > size_bytes_max):
            raise Refused(FailureCode.PAYLOAD_TOO_LARGE, must_close=True)
        try:
            async with asyncio.timeout(self._read_timeout_seconds):
                return await _collect(receive, size_bytes_max)
        except TimeoutError:
            raise Refused(
                FailureCode.VALIDATION_FAILED,
                field_errors={"body": "did not arrive in time"},
                must_close=True,
            ) from None


class _Outgoing:
    """Adds what every answer carries, and remembers its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


def _check_head(scope: Scope, headers: Headers) -> None:
    """Raises Refused for what no honest client sends, before anything is made of it."""
    head_bytes = len(scope.get("query_string", b"")) + len(scope["path"])
    head_bytes += sum(len(name) + len(value) for name, value in scope["headers"])
    if head_bytes > HEADER_BYTES_MAX:
        raise Refused(
            FailureCode.VALIDATION_FAILED,
            field_errors={"headers": f"with the URL must stay under {HEADER_BYTES_MAX} bytes"},
            must_close=True,
        )
    if len(scope["headers"]) > HEADERS_MAX:
        raise Refused(
            FailureCode.VALIDATION_FAILED,
            field_errors={"headers": f"must be at most {HEADERS_MAX}"},
            must_close=True,
        )
    if scope["method"] not in METHODS:
        raise Refused(
            FailureCode.METHOD_NOT_ALLOWED,
            must_close=True,
            headers={"Allow": ", ".join(sorted(METHODS))},
        )
    version = scope["http_version"]
    if version not in ("1.0", "1.1") or (version == "1.1" and "host" not in headers):
        raise Refused(
            FailureCode.VALIDATION_FAILED,
            field_errors={"request": "must be HTTP/1.1 with a Host, or HTTP/1.0"},
            must_close=True,
        )
    for name in _AT_MOST_ONCE:
        if len(headers.getlist(name)) > 1:
            raise Refused(
                FailureCode.VALIDATION_FAILED,
                field_errors={name: "must be sent at most once"},
                must_close=True,
            )
    if "transfer-encoding" in headers and (
        "content-length" in headers or headers["transfer-encoding"].strip().lower() != "chunked"
    ):
        raise Refused(
            FailureCode.VALIDATION_FAILED,
            field_errors={"transfer-encoding": "must be chunked, and without a content-length"},
            must_close=True,
        )


async def _collect(receive: Receive, size_bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size_bytes = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise SenderGone
        chunk: bytes = message.get("body", b"")
        size_bytes += len(chunk)
        if size_bytes > size_bytes_max:
            raise Refused(FailureCode.PAYLOAD_TOO_LARGE, must_close=True)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    is_read = False

    async def replayed() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()  # only a disconnection can follow
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _has_body(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return b"content-length" in names or b"transfer-encoding" in names


def _request_id(sent: Sequence[str]) -> str:
    return sent[0] if len(sent) == 1 and _REQUEST_ID.fullmatch(sent[0]) else uuid4().hex
