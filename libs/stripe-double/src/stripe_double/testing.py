"""The double inside a test process: on a free port in a thread, or without any socket.

with running_double(seed="a") as double: ...            # served; client at double.url
with in_process_double(seed="a") as double: ...         # no socket, no thread, frozen clock
    client = stripe.StripeClient(double.api_key, http_client=double.http_client(
        stripe.HTTPXClient(allow_sync_methods=True)))
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from stripe_double.control import ControlPlane
from stripe_double.double import StripeDouble
from stripe_double.engine.records import JsonObject
from stripe_double.in_process import InProcessDouble
from stripe_double.server import Server, address_of, bind
from stripe_double.settings import Settings

Result = TypeVar("Result")

TEST_API_KEY = "sk_test_double_0123456789"
FROZEN_START_SECONDS = 1_900_000_000
_START_SECONDS = 10.0


class RunningDouble:
    """A served double. `call` and the shortcuts are safe from any thread."""

    def __init__(self, double: StripeDouble, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.double = double
        self.url = url
        self.api_key = double.settings.api_keys[0]
        self._loop = loop

    def call(self, action: Callable[[ControlPlane], Result]) -> Result:
        """Do something with the control plane in the double's own event loop."""

        async def run() -> Result:
            return action(self.double.control)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=30)

    def ledger(self, kind: str | None = None, **facts: Any) -> list[JsonObject]:
        """Ledger entries of a kind with these facts."""
        return self.call(lambda control: control.ledger(kind, **facts))

    def wait_for_webhooks(self, *, timeout_seconds: float = 10.0) -> None:
        """Return when no delivery is due and none is being sent; else TimeoutError."""
        deadline = time.monotonic() + timeout_seconds
        while not self.call(lambda _: self.double.world.courier.idle):
            if time.monotonic() > deadline:
                message = f"webhooks were still being sent after {timeout_seconds} s"
                raise TimeoutError(message)
            time.sleep(0.01)


@contextmanager
def running_double(settings: Settings | None = None, **values: Any) -> Iterator[RunningDouble]:
    """Serve a double until the block ends.

    `values` are settings; by default a free loopback port, the control plane on, `TEST_API_KEY`.
    """
    if settings is None:
        settings = Settings(**{"api_keys": [TEST_API_KEY], "port": 0, "control": True, **values})
    double = StripeDouble(settings)
    sock = bind(settings.host, settings.port)
    url = address_of(sock)
    double.serve_at(url)
    ready = threading.Event()
    server = Server(double, on_ready=ready.set)
    loop = (server.config.get_loop_factory() or asyncio.new_event_loop)()

    def serve() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(server.serve_double(sock))

    thread = threading.Thread(target=serve, name="stripe-double", daemon=True)
    thread.start()
    try:
        if not ready.wait(_START_SECONDS):
            message = f"the double did not listen within {_START_SECONDS} s"
            raise TimeoutError(message)
        yield RunningDouble(double, url, loop)
    finally:
        server.should_exit = True
        thread.join(timeout=15)
        double.close()


@contextmanager
def in_process_double(
    webhooks: Callable[[httpx.Request], httpx.Response] | None = None, **values: Any
) -> Iterator[InProcessDouble]:
    """A double without sockets and threads, for synchronous tests.

    `values` are settings; by default `TEST_API_KEY` and a clock that only `advance` moves, at
    2030-03-17, so that the same seed makes the same world byte for byte. `webhooks` takes every
    webhook that `settle` sends; without it they go to the network.
    """
    defaults: dict[str, Any] = {
        "api_keys": [TEST_API_KEY],
        "clock_start_seconds": FROZEN_START_SECONDS,
        "clock_ticking": False,
        "public_url": InProcessDouble.URL,
    }
    transport = None if webhooks is None else httpx.MockTransport(webhooks)
    double = StripeDouble(Settings(**{**defaults, **values}), webhook_transport=transport)
    in_process = InProcessDouble(double)
    try:
        yield in_process
    finally:
        in_process.close()
