"""What to do with an event that could not be folded: send it round again, or give it up."""

from __future__ import annotations

from dataclasses import dataclass

from billing_common.domain.webhook_event import FailedEvent


@dataclass(frozen=True, slots=True)
class Resend:
    """Publish the bytes again, to the partition that keeps this customer's order."""

    attempt: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Move it to the dead-letter topic; an operator decides."""

    reason: str


def decide_failed_event(event: FailedEvent, *, attempts_max: int) -> Resend | GiveUp:
    """Total. `attempts_max` counts the attempts made, the first delivery included."""
    if event.payload is None:
        # Nothing to send; Stripe still has it, and a person can fetch it by id.
        return GiveUp("payload_gone")
    if event.attempt_count >= attempts_max:
        return GiveUp(event.outcome_code or "attempts_exhausted")
    return Resend(attempt=event.attempt_count + 1)
