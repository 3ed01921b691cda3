"""The life of a received Stripe event: a row of billing_webhook_events.

A row exists once projection has met the event; before that the log holds it. `failed` is moved
by the reconciler (retry) or by the limit (dead_letter); a dead letter by an operator's requeue.
"""

from __future__ import annotations

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
