"""The double behind a socket: uvicorn on one address, in this process's event loop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from stripe_double.double import StripeDouble


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. A port in use raises OSError.

    The protocol is named because asyncio turns Nagle's delay off only for sockets that name it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


class Server(uvicorn.Server):
    """Uvicorn that says when it listens, and leaves signals to the caller when asked to."""

    def __init__(self, double: StripeDouble, *, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                double.asgi_app,
                access_log=False,
                log_config=None,
                lifespan="off",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=5,
                timeout_keep_alive=60,
            )
        )
        self._double = double
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to `run`: uvicorn would raise them again after a clean end."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets=sockets)
        self._on_ready()

    async def serve_double(self, sock: socket.socket) -> None:
        """Serve and deliver until `should_exit`."""
        async with self._double.running():
            await self.serve(sockets=[sock])


def address_of(sock: socket.socket) -> str:
    """`http://host:port` of a bound socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(double: StripeDouble, *, on_ready: Callable[[str], None]) -> None:
    """Serve until a signal; `on_ready` gets the base URL."""
    settings = double.settings
    sock = bind(settings.host, settings.port)
    url = address_of(sock)
    double.serve_at(url)
    server = Server(double, on_ready=lambda: on_ready(url))
    try:
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            loop = runner.get_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, server.handle_exit, number, None)
            runner.run(server.serve_double(sock))
    finally:
        double.close()
