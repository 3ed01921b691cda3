"""How far has an operation come, and is that what the caller waits for?"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from billing_common.domain.checkout_session import BLOCKING, CheckoutSession, SessionStatus
from billing_common.domain.idempotency import Operation, OperationStatus

# 0.1 s at first, because most operations end at once; never more than 0.5 s late.
FIRST_PAUSE_SECONDS: Final = 0.1
PAUSE_SECONDS_MAX: Final = 0.5
WAIT_SECONDS_MAX: Final = 30


class Until(StrEnum):
    """What ends the wait: the operation's own end, or its payment being in our tables."""

    FINISHED = "finished"
    PROJECTED = "projected"


def has_reached(until: Until, operation: Operation, session: CheckoutSession | None) -> bool:
    """Whether nothing more will happen that the caller waits for."""
    if operation.status is OperationStatus.PENDING:
        return False
    if until is Until.FINISHED or operation.status is not OperationStatus.SUCCEEDED:
        return True
    return session is None or session.status not in BLOCKING


def is_projected(session: CheckoutSession | None) -> bool:
    """Whether the subscription that was paid for is in our tables."""
    return session is not None and session.status is SessionStatus.COMPLETED_RECONCILED


def next_pause_seconds(pause_seconds: float) -> float:
    """A little longer each time."""
    return min(pause_seconds * 1.5, PAUSE_SECONDS_MAX)
