"""An API request as the pipeline sees it, and the answer it gives back."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from stripe_double.engine.errors import ApiError, invalid_request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY_BYTES = 1_000_000

Gone = Callable[[], Awaitable[None]]
"""Returns when the caller has given up waiting for the answer."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """Method, path, header values by lower-case name, raw query and raw body."""

    method: str
    path: str
    headers: dict[str, str]
    query: str
    body: bytes

    @property
    def is_v2(self) -> bool:
        """Whether it is for the API that speaks JSON."""
        return self.path.startswith("/v2/")

    @property
    def body_text(self) -> str:
        """The body as text. Not UTF-8: ApiError 400."""
        try:
            return self.body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise invalid_request("Invalid request: the body is not UTF-8.") from error

    @property
    def parameter_text(self) -> str:
        """The form text that holds the parameters: the body of a POST, else the query."""
        if self.method != "POST":
            return self.query
        return "&".join(part for part in (self.query, self.body_text) if part)

    @property
    def secret_key(self) -> str | None:
        """The API key, from Bearer or Basic authentication."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return value.strip()
        if scheme.lower() == "basic":
            try:
                return base64.b64decode(value, validate=True).decode().partition(":")[0]
            except ValueError:  # not base64, not ASCII, or not UTF-8 inside
                return None
        return None


class CallerGone(Exception):  # noqa: N818 - exceptions are facts here
    """The connection ended before the request was whole: nobody to answer, nothing to execute."""


class Ending(Enum):
    """How the connection ends after the answer."""

    WHOLE = "whole"
    DROPPED = "dropped"
    """Nothing is sent."""
    TRUNCATED = "truncated"
    """The beginning of the body, then the end."""
    RESET = "reset"
    """The beginning of the body, then a reset."""
    DRIPPED = "dripped"
    """The body in pieces."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send: status, JSON text, headers, how much of it, and over how long."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    ending: Ending = Ending.WHOLE
    drip_ms: int = 0
    cut_percent: int = 50

    @property
    def beginning(self) -> str:
        """The body up to `cut_percent`, never the whole of it."""
        length = len(self.body) * self.cut_percent // 100
        return self.body[: min(length, len(self.body) - 1)]

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers with those that every answer has."""
        length = str(len(self.body.encode()))
        return {"content-type": "application/json", "content-length": length, **self.headers}


async def read_request(scope: Scope, receive: Receive) -> ApiRequest:
    """Read an ASGI request whole. Too large: ApiError 413; cut off on its way: CallerGone."""
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise ApiError(413, "invalid_request_error", "Request body too large.")
        chunks.append(chunk)
        more = message.get("more_body", False)
    return ApiRequest(
        method=scope["method"],
        path=scope["path"],
        headers={
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        },
        query=scope.get("query_string", b"").decode("latin-1"),
        body=b"".join(chunks),
    )
