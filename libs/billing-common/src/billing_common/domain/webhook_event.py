"""The life of a received Stripe event: a row of billing_webhook_events.

A row exists once projection has met the event; before that the log holds it. `failed` is moved
by the reconciler (retry) or by the limit (dead_letter); a dead letter by an operator's requeue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from billing_common.domain.lifecycle import Lifecycle, lifecycle


class EventStatus(StrEnum):
    """Where an event stands."""

    RECEIVED = "received"
    PROCESSING = "processing"
    PROCESSED = "processed"
    IGNORED = "ignored"
    FAILED = "failed"
    DEAD_LETTER = "dead_letter"


class EventOutcome(StrEnum):
    """What projecting it led to."""

    APPLIED = "applied"
    NOT_APPLICABLE = "not_applicable"  # unknown type, not ours, or older than what we hold
    ERROR = "error"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    REQUEUED = "requeued"


_E = EventStatus
_PENDING = (_E.RECEIVED, _E.FAILED)

WEBHOOK_EVENT: Final[Lifecycle[EventStatus, EventOutcome]] = lifecycle(
    name="webhook_event",
    initial={_E.RECEIVED},
    transitions={
        **{(state, EventOutcome.APPLIED): _E.PROCESSED for state in _PENDING},
        **{(state, EventOutcome.NOT_APPLICABLE): _E.IGNORED for state in _PENDING},
        **{(state, EventOutcome.ERROR): _E.FAILED for state in _PENDING},
        (_E.FAILED, EventOutcome.ATTEMPTS_EXHAUSTED): _E.DEAD_LETTER,
        (_E.DEAD_LETTER, EventOutcome.REQUEUED): _E.FAILED,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedEvent:
    """A row of billing_webhook_events in status failed, whose next attempt is due."""

    row_id: int
    provider_event_id: str
    event_type: str
    object_id: str | None
    api_version: str | None
    livemode: bool
    provider_created_at: datetime
    received_at: datetime
    attempt_count: int
    outcome_code: str | None
    kafka_partition: int | None
    payload: bytes | None
