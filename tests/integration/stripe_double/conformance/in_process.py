"""The official SDK against the double in this process: no sockets, every exchange kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import stripe

from stripe_double.double import StripeDouble
from stripe_double.engine.errors import ApiError
from stripe_double.resources.catalog import find_route
from stripe_double.settings import Settings
from stripe_double.testing import TEST_API_KEY

BASES = ("api", "files", "connect", "meter_events")
START_SECONDS = 1_800_000_000


@dataclass(frozen=True)
class Exchange:
    """One request as sent and its answer as received."""

    method: str
    path: str
    text: str
    status: int
    body: Any

    @property
    def route(self) -> str:
        """`METHOD /v1/path/{id}`; empty if the double has no such row."""
        try:
            return find_route(self.method, self.path).operation.route
        except ApiError:
            return ""


class Transport(stripe.HTTPClient):
    """Hands requests to an ASGI app and waits in a loop of its own."""

    name = "in_process"

    def __init__(self, app: Any) -> None:
        super().__init__()
        self.exchanges: list[Exchange] = []
        self._app = app
        self._loop = asyncio.new_event_loop()

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        parts = urlsplit(url)
        body = (post_data or "").encode() if not isinstance(post_data, bytes) else post_data
        answer = self._loop.run_until_complete(
            call(self._app, method.upper(), parts.path, parts.query, headers or {}, body)
        )
        self.exchanges.append(
            Exchange(
                method.upper(),
                parts.path,
                parts.query or body.decode(),
                answer.status,
                json.loads(answer.body or b"null"),
            )
        )
        return answer.body, answer.status, answer.headers

    def close(self) -> None:
        self._loop.close()


@dataclass
class AsgiAnswer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def call(
    app: Any, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> AsgiAnswer:
    """One ASGI request, answered whole."""
    answer = AsgiAnswer()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            *((name.lower().encode(), value.encode()) for name, value in headers.items()),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if pending:
            return pending.pop()
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {n.decode(): v.decode() for n, v in message["headers"]}
        elif message["type"] == "http.response.body":
            answer.body += message.get("body", b"")

    await app(scope, receive, send)
    return answer


class Shop:
    """A double that nobody serves, the SDK on it, and the clock in our hands."""

    def __init__(self, *, seed: str = "conformance", **settings: Any) -> None:
        self.double = StripeDouble(
            Settings(
                **{
                    "api_keys": [TEST_API_KEY],
                    "seed": seed,
                    "control": True,
                    "clock_start_seconds": START_SECONDS,
                    "clock_ticking": False,
                    **settings,
                }
            )
        )
        self.double.serve_at("http://127.0.0.1:12111")
        self.transport = Transport(self.double.asgi_app)
        stripe.enable_telemetry = False
        self.client = stripe.StripeClient(
            TEST_API_KEY,
            base_addresses=dict.fromkeys(BASES, "http://127.0.0.1:12111"),
            http_client=self.transport,
        )

    @property
    def v1(self) -> Any:
        return self.client.v1

    @property
    def v2(self) -> Any:
        return self.client.v2

    @property
    def control(self) -> Any:
        return self.double.control

    @property
    def exchanges(self) -> list[Exchange]:
        return self.transport.exchanges

    def ask(self, method: str, path: str, text: str = "") -> tuple[int, Any]:
        """What the SDK would not send."""
        query, body = (text, "") if method != "POST" else ("", text)
        url = f"http://127.0.0.1:12111{path}" + (f"?{query}" if query else "")
        headers = {"authorization": f"Bearer {TEST_API_KEY}"}
        if method == "POST":
            json_body = path.startswith("/v2/")
            headers["content-type"] = (
                "application/json" if json_body else "application/x-www-form-urlencoded"
            )
        answer, status, _ = self.transport.request(method, url, headers, body)
        return status, json.loads(answer or b"null")

    def close(self) -> None:
        self.transport.close()
        self.double.close()
