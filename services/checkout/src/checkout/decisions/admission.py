"""May this entity open a subscription checkout now? What has lapsed, what blocks, what refuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from billing_common.contracts.checkout_response import wire_time
from billing_common.domain.checkout_session import (
    SESSION,
    CheckoutSession,
    SessionEvent,
    SessionStatus,
)
from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.lifecycle import Applied
from billing_common.domain.subscription import CURRENT_CAPABLE, Subscription
from checkout.decisions.pricing import PlanPrice, decide_price

COMPLETION_RETRY_SECONDS: Final = 5

_BLOCK_CODE: Final = {
    SessionStatus.OPEN: FailureCode.CHECKOUT_SESSION_OPEN,
    SessionStatus.COMPLETED_PENDING_SUBSCRIPTION: FailureCode.CHECKOUT_COMPLETION_PENDING,
    SessionStatus.RECOVERY_VERIFICATION_PENDING: (
        FailureCode.CHECKOUT_RECOVERY_VERIFICATION_PENDING
    ),
}


@dataclass(frozen=True, slots=True)
class Blocked:
    """Not now: the same key may be tried again once the block has gone. Nothing is stored."""

    code: FailureCode
    details: dict[str, Any]
    retry_after_seconds: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Not at all: stored, and replayed."""

    code: FailureCode


@dataclass(frozen=True, slots=True)
class Admitted:
    """Sell this price."""

    provider_price_id: str


@dataclass(frozen=True, slots=True)
class Admission:
    """`ended`: lapsed sessions as they are to be stored, whatever the verdict is."""

    ended: tuple[CheckoutSession, ...]
    verdict: Blocked | Refused | Admitted


def decide_admission(
    *,
    subscriptions: Iterable[Subscription],
    sessions: Iterable[CheckoutSession],
    prices: Sequence[PlanPrice] | None,
    currency: str,
    now: datetime,
) -> Admission:
    """Total. In order: lapsed sessions end, a session blocks, a subscription or the catalogue
    refuses."""
    rows = tuple(sessions)
    ended = tuple(end_lapsed(row) for row in rows if row.has_lapsed(now))
    blocker = next((row for row in rows if row.is_blocking(now)), None)
    if blocker is not None:
        return Admission(ended, _blocked_by(blocker, now))
    if any(row.status in CURRENT_CAPABLE for row in subscriptions):
        return Admission(ended, Refused(FailureCode.SUBSCRIPTION_EXISTS_USE_PORTAL))
    price = decide_price(prices, currency=currency)
    if isinstance(price, FailureCode):
        return Admission(ended, Refused(price))
    return Admission(ended, Admitted(price.provider_price_id))


def end_lapsed(session: CheckoutSession) -> CheckoutSession:
    """An open session that is past its time has expired; a hold past its horizon is given up."""
    event = SessionEvent.EXPIRED if session.status is SessionStatus.OPEN else SessionEvent.ABANDONED
    outcome = SESSION.apply(session.status, event)
    if not isinstance(outcome, Applied):
        raise BugError(f"a {session.status} session cannot lapse")
    return replace(session, status=outcome.state, checkout_url=None)


def _blocked_by(blocker: CheckoutSession, now: datetime) -> Blocked:
    details: dict[str, Any] = {"operationKey": blocker.operation_key}
    if blocker.expires_at is not None:
        details["expiresAt"] = wire_time(blocker.expires_at)
    if _is_payable(blocker, now):
        details["checkoutUrl"] = blocker.checkout_url
    is_paid = blocker.status is SessionStatus.COMPLETED_PENDING_SUBSCRIPTION
    return Blocked(
        _BLOCK_CODE[blocker.status], details, COMPLETION_RETRY_SECONDS if is_paid else None
    )


def _is_payable(session: CheckoutSession, now: datetime) -> bool:
    """Its URL may be shown: open, bound to one provider session, and not past its time."""
    return (
        session.status is SessionStatus.OPEN
        and session.provider_checkout_session_id is not None
        and session.checkout_url is not None
        and session.expires_at is not None
        and session.expires_at > now
    )
