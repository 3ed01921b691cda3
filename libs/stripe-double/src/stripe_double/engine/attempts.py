"""One delivery attempt: the event rendered for its endpoint, signed anew, posted, and its outcome.

The timestamp of a signature is real time, because the receiver compares it with its own clock.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.signing import sign
from stripe_double.engine.webhook_faults import (
    BAD_SECRET,
    STALE_SECONDS,
    WebhookFaultKind,
    WebhookSwitches,
    spoiled,
)

Render = Callable[[Record, Record], JsonObject]
"""An event and the endpoint it goes to: the body of the webhook, in the endpoint's version."""

DROPPED: JsonObject = {"outcome": "failed", "http_status": None, "error": "dropped by a fault"}


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one attempt carries: an event for an endpoint, its secrets, and the fault it meets."""

    event: Record
    endpoint: Record
    secrets: Sequence[str]
    fault: Record


async def attempt(
    client: httpx.AsyncClient, parcel: Parcel, switches: WebhookSwitches, render: Render
) -> JsonObject:
    """Try once: `outcome` (succeeded, failed), `http_status`, `error`."""
    kind = parcel.fault.get("kind")
    if kind == WebhookFaultKind.DROP or switches.spend("drop_next"):
        return DROPPED
    event = {**render(parcel.event, parcel.endpoint), **switches.overrides}
    if kind is not None:
        event = spoiled(event, kind, parcel.fault.get("size_bytes", 0))
    body = json.dumps(event, indent=2).encode()
    timestamp = time.time_ns() // 1_000_000_000
    if switches.spend("stale_timestamp_next") or kind == WebhookFaultKind.STALE_TIMESTAMP:
        timestamp -= STALE_SECONDS
    secrets = parcel.secrets
    if switches.spend("bad_signature_next") or kind == WebhookFaultKind.BAD_SIGNATURE:
        secrets = [BAD_SECRET]
    headers = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "stripe-signature": sign(body, secrets, timestamp),
    }
    return await _post(client, url_of(parcel.endpoint), body, headers)


def url_of(endpoint: Record) -> str:
    """Where a webhook endpoint or an event destination wants its events."""
    url: str = endpoint["url"] if "url" in endpoint else endpoint["webhook_endpoint"]["url"]
    return url


async def _post(
    client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]
) -> JsonObject:
    try:
        answer = await client.post(url, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        kind = "timeout" if isinstance(error, httpx.TimeoutException) else "connection"
        return {
            "outcome": "failed",
            "http_status": None,
            "error": f"{kind}: {type(error).__name__}",
        }
    succeeded = 200 <= answer.status_code < 300
    return {
        "outcome": "succeeded" if succeeded else "failed",
        "http_status": answer.status_code,
        "error": None if succeeded else "not a 2xx answer",
    }
