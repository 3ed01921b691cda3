"""The limit of a JSON API: read a form body, answer a fixed object, remember nothing."""

from __future__ import annotations

import json
from typing import Any

ANSWER = json.dumps({"id": "cus_0123456789ABCD", "object": "customer", "name": "Ada"}).encode()
HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(ANSWER)).encode()),
]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
