"""Requests to a double in this process, without a socket and without the SDK."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

from stripe_double.double import StripeDouble
from stripe_double.settings import Settings

KEY = "sk_test_double_0123456789"
CUSTOMER_FORM = urlencode(
    {"email": "ada@example.com", "name": "Ada", "metadata[org]": "1"}
).encode()


def new_double() -> StripeDouble:
    """In memory, with a clock that stands still."""
    return StripeDouble(
        Settings(
            api_keys=[KEY], seed="bench", clock_start_seconds=1_800_000_000, clock_ticking=False
        )
    )


async def ask(app: Any, method: str, path: str, body: bytes = b"") -> Any:
    """The body of the answer; RuntimeError unless it is 200."""
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"authorization", f"Bearer {KEY}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    received: list[Any] = []
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if pending:
            return pending.pop()
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        received.append(message)

    await app(scope, receive, send)
    answer = b"".join(message.get("body", b"") for message in received)
    if received[0]["status"] != 200:
        raise RuntimeError(f"{received[0]['status']} {answer.decode()}")
    return json.loads(answer)


async def price_of(app: Any) -> str:
    """A new monthly price."""
    form = {
        "currency": "usd",
        "unit_amount": "1200",
        "recurring[interval]": "month",
        "product_data[name]": "Pro",
    }
    made = await ask(app, "POST", "/v1/prices", urlencode(form).encode())
    return str(made["id"])


def session_form(price: str) -> bytes:
    """A subscription session for a buyer who is not a customer yet."""
    return urlencode(
        {
            "mode": "subscription",
            "line_items[0][price]": price,
            "line_items[0][quantity]": "1",
            "success_url": "http://shop.test/ok",
            "customer_email": "ada@example.com",
        }
    ).encode()
