"""Is the entity free for another exclusive checkout? What has lapsed, and what blocks."""

from __future__ import annotations

from collections.abc import Iterable
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
from checkout.decisions.situation import Blocked

COMPLETION_RETRY_SECONDS: Final = 5

_BLOCK_CODE: Final = {
    SessionStatus.OPEN: FailureCode.CHECKOUT_SESSION_OPEN,
    SessionStatus.COMPLETED_PENDING_SUBSCRIPTION: FailureCode.CHECKOUT_COMPLETION_PENDING,
    SessionStatus.RECOVERY_VERIFICATION_PENDING: (
        FailureCode.CHECKOUT_RECOVERY_VERIFICATION_PENDING
    ),
}


@dataclass(frozen=True, slots=True)
class Blockade:
    """`ended`: lapsed sessions as they are to be stored. `blocked`: why not now, or None."""

    ended: tuple[CheckoutSession, ...]
    blocked: Blocked | None


def decide_blockade(sessions: Iterable[CheckoutSession], *, now: datetime) -> Blockade:
    """Total. Lapsed sessions end; any other one that still counts blocks."""
    rows = tuple(sessions)
    ended = tuple(end_lapsed(row) for row in rows if row.has_lapsed(now))
    blocker = next((row for row in rows if row.is_blocking(now)), None)
    return Blockade(ended, None if blocker is None else _blocked_by(blocker, now))


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
