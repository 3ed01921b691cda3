"""A served double per session, emptied for each test; a client; a shop to buy from; a receiver."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import stripe

from stripe_double.testing import RunningDouble, running_double

BASES = ("api", "files", "connect", "meter_events")


def client_of(double: RunningDouble, **options: Any) -> stripe.StripeClient:
    """The official SDK, unable to reach anything but the double."""
    stripe.enable_telemetry = False
    return stripe.StripeClient(
        options.pop("api_key", double.api_key),
        base_addresses=dict.fromkeys(BASES, double.url),
        http_client=stripe.RequestsClient(timeout=5),
        **options,
    )


@pytest.fixture(scope="session")
def shared_double() -> Iterator[RunningDouble]:
    with running_double(seed="shared", webhook_retry_seconds="0.05,0.05") as double:
        yield double


@pytest.fixture
def double(shared_double: RunningDouble) -> Iterator[RunningDouble]:
    shared_double.call(lambda control: control.reset(seed="shared"))
    yield shared_double
    shared_double.call(lambda control: control.reset())


@pytest.fixture
def client(double: RunningDouble) -> stripe.StripeClient:
    return client_of(double)


@dataclass
class Shop:
    """A customer, a monthly price, and sessions for them."""

    double: RunningDouble
    client: stripe.StripeClient
    customer: str
    price: str

    def params(self, **changes: Any) -> Any:
        params: dict[str, Any] = {
            "mode": "subscription",
            "customer": self.customer,
            "line_items": [{"price": self.price, "quantity": 1}],
            "success_url": "http://shop.test/ok?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://shop.test/back",
            **changes,
        }
        return {name: value for name, value in params.items() if value is not None}

    def session(self, **changes: Any) -> Any:
        return self.client.v1.checkout.sessions.create(self.params(**changes))

    def bought(self, **changes: Any) -> Any:
        session = self.session(**changes)
        self.double.call(lambda control: control.pay(session.id))
        return self.client.v1.checkout.sessions.retrieve(session.id)

    def event_types(self) -> list[str]:
        """Oldest first."""
        events = self.client.v1.events.list({"limit": 100}).data
        return [event.type for event in reversed(events)]


@pytest.fixture
def shop(double: RunningDouble, client: stripe.StripeClient) -> Shop:
    catalog = double.call(lambda control: control.seed_catalog())
    customer = client.v1.customers.create({"email": "buyer@example.com", "name": "Ada Buyer"})
    return Shop(double, client, customer.id, catalog["price"]["id"])


@dataclass
class Received:
    body: bytes
    signature: str


@dataclass
class Receiver:
    """A webhook endpoint on a free port; `answers` are used up first, then 200."""

    url: str
    requests: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    delay_seconds: float = 0.0

    def wait_for(self, count: int, *, timeout_seconds: float = 5.0) -> list[Received]:
        wait_until(lambda: len(self.requests) >= count, timeout_seconds=timeout_seconds)
        return list(self.requests)


def wait_until(condition: Callable[[], bool], *, timeout_seconds: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"still not so after {timeout_seconds} s")
        time.sleep(0.005)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            signature = self.headers["stripe-signature"]
            state.requests.append(Received(body, signature))
            if state.delay_seconds:
                time.sleep(state.delay_seconds)
            status = state.answers.pop(0) if state.answers else 200
            self.send_response(status)
            if status == 302:
                self.send_header("location", f"{state.url}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            return

    class QuietServer(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            return  # a sender that gave up is part of the tests

    server = QuietServer(("127.0.0.1", 0), Handler)
    state = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def raw(double: RunningDouble) -> Iterator[httpx.Client]:
    """Plain HTTP with the right key, for what the SDK would not send."""
    headers = {"authorization": f"Bearer {double.api_key}"}
    with httpx.Client(base_url=double.url, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def new_client() -> Callable[..., stripe.StripeClient]:
    return client_of


@pytest.fixture
def wait() -> Callable[..., None]:
    return wait_until
