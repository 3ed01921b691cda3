"""A small HTTP client for loopback: keep-alive connections, each request sent once."""

from __future__ import annotations

import asyncio
import collections
import time
from collections.abc import Sequence


async def send_all(requests: Sequence[bytes], *, port: int, connections: int) -> float:
    """Requests per second; raises when any answer is not 200."""
    waiting = collections.deque(requests)
    statuses: collections.Counter[bytes] = collections.Counter()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            writer.write(waiting.popleft())
            head = await reader.readuntil(b"\r\n\r\n")
            statuses[head.split(b" ", 2)[1]] += 1
            length = 0
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":", 1)[1])
            if b"transfer-encoding: chunked" in head.lower():
                await reader.readuntil(b"0\r\n\r\n")
            else:
                await reader.readexactly(length)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    elapsed = time.perf_counter() - started
    if set(statuses) != {b"200"}:
        raise RuntimeError(f"answers were {dict(statuses)}")
    return len(requests) / elapsed
