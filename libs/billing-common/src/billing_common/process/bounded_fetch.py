"""Fetches a small public document, such as a key set: bounded in time and size, no redirect.

Not for anything that a stranger names: the address comes from the settings.
"""

from __future__ import annotations

import asyncio
from typing import Final

import httpx

from billing_common.observability.transaction_guard import assert_no_open_transaction

TIMEOUT_SECONDS: Final = 5.0
SIZE_BYTES_MAX: Final = 64 * 1024


class FetchFailed(Exception):  # noqa: N818 - exceptions are facts here
    """No document; the message says why, without what the other side sent."""


async def fetch_text(
    url: str,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    size_bytes_max: int = SIZE_BYTES_MAX,
) -> str:
    """The document as text. Raises FetchFailed. The environment's proxies are not used."""
    assert_no_open_transaction("a fetch")
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _read(url, size_bytes_max)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchFailed(f"it cannot be fetched: {type(error).__name__}") from error
    except TimeoutError:
        raise FetchFailed(f"it took longer than {timeout_seconds:g} s") from None
    except UnicodeDecodeError:
        raise FetchFailed("it is not UTF-8") from None


async def _read(url: str, size_bytes_max: int) -> str:
    chunks: list[bytes] = []
    size_bytes = 0
    async with (
        httpx.AsyncClient(follow_redirects=False, trust_env=False) as client,
        client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
    ):
        if answer.status_code != 200:
            raise FetchFailed(f"it was answered with {answer.status_code}")
        async for chunk in answer.aiter_raw():
            size_bytes += len(chunk)
            if size_bytes > size_bytes_max:
                raise FetchFailed(f"it is larger than {size_bytes_max} bytes")
            chunks.append(chunk)
    return b"".join(chunks).decode()
