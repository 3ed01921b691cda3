"""A connection that must finish its request's head in time and within a size.

uvicorn times idle connections only: one byte a second keeps a connection for ever, and a head
may grow without end. Limits of the body are the application's.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from billing_common.contracts.problem import CONTENT_TYPE, problem_body
from billing_common.domain.failure_codes import FailureCode

HEAD_TIMEOUT_SECONDS: Final = 10.0
HEAD_BYTES_MAX: Final = 32 * 1024
_BODY: Final = problem_body(
    FailureCode.VALIDATION_FAILED,
    request_id="none",
    field_errors={"request": "is not HTTP as RFC 9112 describes it"},
).encode()
_BAD_REQUEST: Final = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"content-type: " + CONTENT_TYPE.encode() + b"\r\n"
    b"cache-control: no-store\r\n"
    b"connection: close\r\n"
    b"content-length: " + str(len(_BODY)).encode() + b"\r\n\r\n" + _BODY
)


class TimedConnection(HttpToolsProtocol):
    """Closes a connection whose request head is late or too large."""

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        """The first request's head is due from here."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Counts bytes while a head is being read."""
        if self._head_timer is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_bytes > HEAD_BYTES_MAX:
            self._give_up()

    def on_message_begin(self) -> None:
        """A request on a kept connection begins: its head is due."""
        super().on_message_begin()
        if self._head_timer is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is whole; the application's own limits apply from here."""
        self._forget_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self._forget_head()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_SECONDS, self._give_up)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets one answer, which says nothing of what was sent, and no second
        chance: where one message ends and the next begins is exactly what is in doubt."""
        del msg
        self._forget_head()
        self.transport.write(_BAD_REQUEST)
        self.transport.close()

    def _give_up(self) -> None:
        self._forget_head()
        if not self.transport.is_closing():
            self.transport.close()
