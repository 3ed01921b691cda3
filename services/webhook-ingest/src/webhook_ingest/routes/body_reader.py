"""Reads a request's body within a size and a time, whatever the sender claims or does."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Receive

# Digits of the largest honest Content-Length; int() of more is work for nothing.
_LENGTH_DIGITS_MAX: Final = 18


class BodyTooLarge(Exception):  # noqa: N818 - exceptions are facts here
    """More bytes came, or were announced, than are allowed."""


class BodyNotReceived(Exception):  # noqa: N818
    """The sender went away or was too slow."""


async def read_body(
    receive: Receive,
    *,
    announced_length: bytes | None,
    size_bytes_max: int,
    timeout_seconds: float,
) -> bytes:
    """The whole body. At most `size_bytes_max` plus one chunk is ever held.

    Raises BodyTooLarge or BodyNotReceived.
    """
    if _announces_too_much(announced_length, size_bytes_max):
        raise BodyTooLarge
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _collect(receive, size_bytes_max)
    except TimeoutError:
        raise BodyNotReceived from None


async def _collect(receive: Receive, size_bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size_bytes = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyNotReceived
        chunk: bytes = message.get("body", b"")
        size_bytes += len(chunk)
        if size_bytes > size_bytes_max:
            raise BodyTooLarge
        if chunk:
            chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _announces_too_much(announced_length: bytes | None, size_bytes_max: int) -> bool:
    if announced_length is None or not announced_length.isdigit():
        return False  # the server has refused what is not a number; chunked announces nothing
    return len(announced_length) > _LENGTH_DIGITS_MAX or int(announced_length) > size_bytes_max
