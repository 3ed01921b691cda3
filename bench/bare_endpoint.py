"""The limit of an endpoint: verify the signature of the raw body, answer 200, do nothing else."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from billing_common.stripe_api.signature import verify

SECRET = os.environ.get("BENCH_WEBHOOK_SECRET", "")


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    header = dict(scope["headers"]).get(b"stripe-signature", b"").decode("latin-1")
    verify(body, header, secrets=[SECRET], now=datetime.now(UTC))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'{"ok":true}'})
