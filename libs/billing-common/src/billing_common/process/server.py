"""Serve an ASGI application until told to stop, then drain and exit with a clean status.

Consumers run inside the application's lifespan: what starts there is stopped there, in reverse.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

# A supervisor should wait longer than this before it kills.
DRAIN_SECONDS: Final = 30


class DrainingServer(uvicorn.Server):
    """Stops on SIGTERM or SIGINT once what is under way is answered, and exits with status 0.

    uvicorn's own way raises the signal again afterwards, so that a clean stop looks like a kill.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals set the stop flag through the loop, which wakes it up at once."""
        loop = asyncio.get_running_loop()
        for wanted in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(wanted, self.handle_exit, wanted, None)
        yield


def run_app(app: ASGIApp, *, host: str, port: int, **options: Any) -> int:
    """Serve until told to stop. The exit status: 0 after a clean stop, 1 when it never started.

    `options` go to uvicorn.Config.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        **{
            "loop": "uvloop",
            "ws": "none",
            "lifespan": "on",
            "access_log": False,
            "log_config": None,
            "server_header": False,
            "timeout_graceful_shutdown": DRAIN_SECONDS,
            **options,
        },
    )
    server = DrainingServer(config)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve())
    return 0 if server.started else 1


def instance_name(service: str) -> str:
    """Names this process in leases and consumer groups: unique also after a restart in the same
    container, where host and pid repeat."""
    return f"{service}:{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
