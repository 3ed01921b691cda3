"""Is the entity free for another exclusive checkout? What has ended, what blocks, what is in doubt.

Our clock ends only what nobody could pay: a session whose URL never left. One that was bound and
is past its time, and every hold, is ended by the provider's word (`Evidence`), asked outside the
transaction. Its words `complete` and `expired` are final, so they cannot be out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from billing_common.contracts.checkout_response import wire_time
from billing_common.domain.checkout_session import (
    BLOCKING,
    SESSION,
    CheckoutSession,
    SessionEvent,
    SessionFlow,
    SessionStatus,
)
from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.lifecycle import Applied
from billing_common.domain.provider_objects import ProviderSession, ProviderSessionStatus
from billing_common.domain.subscription import Subscription
from checkout.decisions.situation import Blocked

RETRY_SECONDS: Final = 5

_OPEN, _HOLD = SessionStatus.OPEN, SessionStatus.RECOVERY_VERIFICATION_PENDING
_BLOCK_CODE: Final = {
    _OPEN: FailureCode.CHECKOUT_SESSION_OPEN,
    SessionStatus.COMPLETED_PENDING_SUBSCRIPTION: FailureCode.CHECKOUT_COMPLETION_PENDING,
    _HOLD: FailureCode.CHECKOUT_RECOVERY_VERIFICATION_PENDING,
}
# What the provider's word does to a row in doubt. Its word `open` ends nothing.
_EVENT_OF: Final = {
    ProviderSessionStatus.COMPLETE: SessionEvent.COMPLETED,
    ProviderSessionStatus.EXPIRED: SessionEvent.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the provider said of the session in doubt. `found` is None when it knows no session
    of the id that was asked for."""

    found: ProviderSession | None


@dataclass(frozen=True, slots=True)
class Blockade:
    """`moved`: rows as they are to be stored. `doubts`: to be asked about before anything is
    said. `blocked`: why not now. Neither: the way is free."""

    moved: tuple[CheckoutSession, ...]
    doubts: tuple[CheckoutSession, ...]
    blocked: Blocked | None


def decide_blockade(
    sessions: Iterable[CheckoutSession],
    *,
    subscriptions: Iterable[Subscription],
    evidence: Mapping[str, Evidence] | None,
    now: datetime,
) -> Blockade:
    """Total. `evidence` by operation key; None: nobody has been asked yet."""
    known = frozenset(row.provider_subscription_id for row in subscriptions)
    rows = tuple(row for row in sessions if row.flow is SessionFlow.SUBSCRIPTION)
    told = evidence or {}
    after = tuple(_reconciled(_after(row, told.get(row.operation_key), now), known) for row in rows)
    moved = tuple(new for old, new in zip(rows, after, strict=True) if new != old)
    if evidence is None:
        doubts = tuple(row for row in after if is_in_doubt(row, now))
        if doubts:
            return Blockade(moved, doubts, None)
    blocker = next((row for row in after if row.status in BLOCKING), None)
    return Blockade(moved, (), None if blocker is None else _blocked_by(blocker, now))


def is_in_doubt(row: CheckoutSession, now: datetime) -> bool:
    """Whether only the provider can tell what became of it."""
    is_overdue = row.status is _OPEN and row.has_lapsed(now)
    return is_overdue or row.status is _HOLD


def end_lapsed(session: CheckoutSession) -> CheckoutSession:
    """An open session that nobody could pay has expired; a hold past its horizon is given up."""
    event = SessionEvent.EXPIRED if session.status is _OPEN else SessionEvent.ABANDONED
    return _moved(session, event)


def _after(row: CheckoutSession, evidence: Evidence | None, now: datetime) -> CheckoutSession:
    is_bound = row.provider_checkout_session_id is not None
    if row.has_lapsed(now) and not (row.status is _OPEN and is_bound):
        return end_lapsed(row)
    if evidence is None or not is_in_doubt(row, now):
        return row
    found = evidence.found
    if found is None:
        # The provider does not know the id that we bound: nothing can be paid there. For a hold
        # nothing was bound, and finding nothing proves nothing: the call may be under way.
        return _moved(row, SessionEvent.ABANDONED) if row.status is _OPEN else row
    event = _EVENT_OF.get(found.status)
    if event is None or row.provider_checkout_session_id not in (None, found.id):
        return row
    return replace(
        _moved(row, event),
        provider_checkout_session_id=found.id,
        provider_customer_id=found.customer_id,
        provider_subscription_id=found.subscription_id or row.provider_subscription_id,
    )


def _reconciled(row: CheckoutSession, known: frozenset[str]) -> CheckoutSession:
    """Paid, and its subscription is in our tables already: done."""
    is_paid = row.status is SessionStatus.COMPLETED_PENDING_SUBSCRIPTION
    if not is_paid or row.provider_subscription_id not in known:
        return row
    return _moved(row, SessionEvent.RECONCILED)


def _moved(row: CheckoutSession, event: SessionEvent) -> CheckoutSession:
    outcome = SESSION.apply(row.status, event)
    if not isinstance(outcome, Applied):
        raise BugError(f"a {row.status} session cannot take {event}")
    return replace(row, status=outcome.state, checkout_url=None)


def _blocked_by(blocker: CheckoutSession, now: datetime) -> Blocked:
    details: dict[str, Any] = {"operationKey": blocker.operation_key}
    if blocker.expires_at is not None:
        details["expiresAt"] = wire_time(blocker.expires_at)
    if _is_payable(blocker, now):
        details["checkoutUrl"] = blocker.checkout_url
        return Blocked(FailureCode.CHECKOUT_SESSION_OPEN, details, None)
    if is_in_doubt(blocker, now):
        return Blocked(_BLOCK_CODE[_HOLD], details, RETRY_SECONDS)
    is_paid = blocker.status is SessionStatus.COMPLETED_PENDING_SUBSCRIPTION
    return Blocked(_BLOCK_CODE[blocker.status], details, RETRY_SECONDS if is_paid else None)


def _is_payable(session: CheckoutSession, now: datetime) -> bool:
    """Its URL may be shown: open, bound to one provider session, and not past its time."""
    return (
        session.status is _OPEN
        and session.provider_checkout_session_id is not None
        and session.checkout_url is not None
        and session.expires_at is not None
        and session.expires_at > now
    )
