"""A gateway behind a real socket, in a thread of its own, as `python -m api_gateway` serves it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import uvicorn

from api_gateway.app import Gateway
from api_gateway.settings import KEEP_ALIVE_SECONDS, GatewaySettings
from billing_common.process.timed_connection import TimedConnection


@dataclass
class Served:
    gateway: Gateway
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def send_raw(self, sent: bytes, *, timeout_seconds: float = 10) -> bytes:
        """What comes back until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        received = b""
        try:
            writer.write(sent)
            await writer.drain()
            async with asyncio.timeout(timeout_seconds):
                while chunk := await reader.read(65536):
                    received += chunk
        except (TimeoutError, ConnectionError):
            return received
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        return received


@contextmanager
def served_gateway(wanted: GatewaySettings) -> Iterator[Served]:
    """Started and ready; stopped afterwards."""
    gateway = Gateway(wanted)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            gateway.app,
            http=TimedConnection,
            loop="asyncio",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=5,
        )
    )
    is_up = threading.Event()

    async def serve() -> None:
        serving = asyncio.ensure_future(server.serve([listening]))
        while not server.started and not serving.done():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
        is_up.set()
        await serving

    # Signals are the main thread's; uvicorn leaves them alone in another one.
    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="gateway", daemon=True)
    thread.start()
    try:
        assert is_up.wait(30)
        assert server.started
        yield Served(gateway, listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
        assert not thread.is_alive()
