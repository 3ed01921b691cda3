"""Headers of billing.stripe-events.v1. The value is the webhook's body, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

EVENT_ID = "stripe-event-id"
EVENT_TYPE = "stripe-event-type"
EVENT_CREATED = "stripe-event-created"
API_VERSION = "stripe-api-version"
LIVEMODE = "stripe-livemode"
RECEIVED_AT = "received-at"
TRACEPARENT = "traceparent"
RETRY_ATTEMPT = "retry-attempt"


@dataclass(frozen=True, slots=True)
class StripeEventHeaders:
    """What ingest learned while verifying. `created` in epoch seconds, as Stripe sends it.

    `retry_attempt` is set when the reconciler sends a failed event round again.
    """

    event_id: str
    event_type: str
    created: int
    api_version: str | None
    livemode: bool
    received_at: datetime
    traceparent: str | None = None
    retry_attempt: int | None = None

    def to_pairs(self) -> list[tuple[str, bytes]]:
        """Kafka headers; absent values are left out."""
        pairs = [
            (EVENT_ID, self.event_id.encode()),
            (EVENT_TYPE, self.event_type.encode()),
            (EVENT_CREATED, str(self.created).encode()),
            (LIVEMODE, b"true" if self.livemode else b"false"),
            (RECEIVED_AT, self.received_at.astimezone(UTC).isoformat().encode()),
        ]
        if self.api_version is not None:
            pairs.append((API_VERSION, self.api_version.encode()))
        if self.traceparent is not None:
            pairs.append((TRACEPARENT, self.traceparent.encode()))
        if self.retry_attempt is not None:
            pairs.append((RETRY_ATTEMPT, str(self.retry_attempt).encode()))
        return pairs

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, bytes | None]]) -> StripeEventHeaders:
        """Raises ValueError or KeyError when ingest's headers are missing or damaged."""
        found = {name: value.decode() for name, value in pairs if value is not None}
        attempt = found.get(RETRY_ATTEMPT)
        return cls(
            event_id=found[EVENT_ID],
            event_type=found[EVENT_TYPE],
            created=int(found[EVENT_CREATED]),
            api_version=found.get(API_VERSION),
            livemode=found[LIVEMODE] == "true",
            received_at=datetime.fromisoformat(found[RECEIVED_AT]),
            traceparent=found.get(TRACEPARENT),
            retry_attempt=int(attempt) if attempt is not None else None,
        )
