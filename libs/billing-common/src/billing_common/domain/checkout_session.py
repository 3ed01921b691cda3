"""The life of a checkout session: a row of billing_checkout_sessions.

Written by checkout (Tx B, holds) and by projection (the transitions that events own). A URL
leaves the system only when a row is bound to exactly one provider session id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from billing_common.domain.lifecycle import Lifecycle, lifecycle
from billing_common.domain.ordering import Watermark

# Stripe's clock and ours differ a little, and its expiry event needs a moment to arrive.
EXPIRY_GRACE: Final = timedelta(seconds=90)


class SessionFlow(StrEnum):
    """Only subscription sessions take the blocking key of their entity."""

    SUBSCRIPTION = "subscription"
    ONE_OFF = "one_off"


class SessionStatus(StrEnum):
    """The first three block another subscription checkout of the same entity."""

    OPEN = "open"
    COMPLETED_PENDING_SUBSCRIPTION = "completed_pending_subscription"
    RECOVERY_VERIFICATION_PENDING = "recovery_verification_pending"
    COMPLETED_RECONCILED = "completed_reconciled"
    EXPIRED = "expired"
    ABANDONED = "abandoned"


BLOCKING: Final = frozenset(
    {
        SessionStatus.OPEN,
        SessionStatus.COMPLETED_PENDING_SUBSCRIPTION,
        SessionStatus.RECOVERY_VERIFICATION_PENDING,
    }
)


class SessionEvent(StrEnum):
    """What can happen to a session."""

    PROVIDER_OPEN = "provider_open"  # the provider says it can still be paid
    COMPLETED = "completed"  # the provider says it was paid
    RECONCILED = "reconciled"  # its subscription is in our tables
    EXPIRED = "expired"  # the provider says it can no longer be paid
    ABANDONED = "abandoned"  # ours to give up: a hold lapsed, or another one won


_OPEN = SessionStatus.OPEN
_PAID = SessionStatus.COMPLETED_PENDING_SUBSCRIPTION
_HOLD = SessionStatus.RECOVERY_VERIFICATION_PENDING

SESSION: Final[Lifecycle[SessionStatus, SessionEvent]] = lifecycle(
    name="checkout_session",
    initial={_OPEN, _HOLD, _PAID, SessionStatus.EXPIRED, SessionStatus.ABANDONED},
    transitions={
        (_OPEN, SessionEvent.PROVIDER_OPEN): _OPEN,
        (_OPEN, SessionEvent.COMPLETED): _PAID,
        (_OPEN, SessionEvent.EXPIRED): SessionStatus.EXPIRED,
        (_OPEN, SessionEvent.ABANDONED): SessionStatus.ABANDONED,
        (_PAID, SessionEvent.RECONCILED): SessionStatus.COMPLETED_RECONCILED,
        (_PAID, SessionEvent.ABANDONED): SessionStatus.ABANDONED,
        (_HOLD, SessionEvent.PROVIDER_OPEN): _OPEN,
        (_HOLD, SessionEvent.COMPLETED): _PAID,
        (_HOLD, SessionEvent.EXPIRED): SessionStatus.EXPIRED,
        (_HOLD, SessionEvent.ABANDONED): SessionStatus.ABANDONED,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutSession:
    """One row of billing_checkout_sessions. `id` is None until it is stored."""

    id: int | None
    billable_entity_id: int
    provider: str
    flow: SessionFlow
    operation_key: str
    idempotency_row_id: int | None
    provider_checkout_session_id: str | None
    provider_customer_id: str | None
    provider_subscription_id: str | None
    status: SessionStatus
    checkout_url: str | None
    expires_at: datetime | None
    completed_at: datetime | None
    watermark: Watermark | None
    row_version: int

    def is_blocking(self, now: datetime) -> bool:
        """Whether another subscription checkout must wait, as far as our clock can tell.

        open blocks until its expiry plus grace, a hold until its horizon, a paid one always. What
        has lapsed is not free yet: of a session that could be paid, the provider says how it ended.
        """
        if self.flow is not SessionFlow.SUBSCRIPTION or self.status not in BLOCKING:
            return False
        return not self.has_lapsed(now)

    def has_lapsed(self, now: datetime) -> bool:
        """Its time is over although nobody has said so yet."""
        if self.expires_at is None:
            return False
        match self.status:
            case SessionStatus.OPEN:
                return self.expires_at + EXPIRY_GRACE <= now
            case SessionStatus.RECOVERY_VERIFICATION_PENDING:
                return self.expires_at <= now
            case _:
                return False
