"""Sending an answer, whole or the way a fault wants it."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import Any

from stripe_double.http.requests import Answer, Ending, Receive, Send

DRIP_PIECES = 10


async def caller_gone(receive: Receive) -> None:
    """Return when the caller of a request that was read whole has closed the connection."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return


async def send_answer(answer: Answer, send: Send) -> None:
    """Send an answer, or the beginning of one, or nothing before the connection closes."""
    if answer.ending is Ending.DROPPED:
        _Connection(send).drop()
        return
    body = answer.body.encode()
    headers = answer.all_headers.items()
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(n.lower().encode(), v.encode("latin-1")) for n, v in headers],
        }
    )
    if answer.ending in {Ending.TRUNCATED, Ending.RESET}:
        beginning = answer.beginning.encode()
        await send({"type": "http.response.body", "body": beginning, "more_body": True})
        connection = _Connection(send)
        if answer.ending is Ending.RESET:
            connection.reset()
        else:
            connection.end()
        return
    for piece in pieces(body) if answer.ending is Ending.DRIPPED else ():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(answer.drip_ms / 1000 / DRIP_PIECES)
    rest = b"" if answer.ending is Ending.DRIPPED else body
    await send({"type": "http.response.body", "body": rest})


def pieces(body: bytes) -> list[bytes]:
    """The body in about ten pieces."""
    size = len(body) // DRIP_PIECES + 1
    return [body[start : start + size] for start in range(0, len(body), size)]


class _Connection:
    """The connection under the server. Without a socket, ending it is a ConnectionResetError."""

    def __init__(self, send: Send) -> None:
        self._cycle = getattr(send, "__self__", None)
        transport = getattr(self._cycle, "transport", None)
        if transport is None:
            message = "the connection was dropped by a fault"
            raise ConnectionResetError(message)
        self._transport: Any = transport

    def drop(self) -> None:
        """Close at once."""
        self._transport.abort()
        self._forget()

    def end(self) -> None:
        """Send what was written, then close."""
        self._transport.close()
        self._forget()

    def reset(self) -> None:
        """Close so that the other side sees a reset."""
        connection = self._transport.get_extra_info("socket")
        if connection is not None:
            twin = socket.socket(fileno=os.dup(connection.fileno()))
            try:
                linger = struct.pack("ii", 1, 0)
                twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            finally:
                twin.close()
        self.drop()

    def _forget(self) -> None:
        if self._cycle is not None:
            self._cycle.disconnected = True
