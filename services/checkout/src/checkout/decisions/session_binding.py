"""Tx B of a checkout: the provider's session is known; what becomes of operation and session row?

A session is bound once, never regresses, and is given up when the entity has another subscription.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from billing_common.contracts.checkout_response import HTTP_STATUS, checkout_response_body
from billing_common.domain.checkout_session import (
    BLOCKING,
    SESSION,
    CheckoutSession,
    SessionEvent,
    SessionFlow,
    SessionStatus,
)
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import Operation, OperationEvent, OperationStatus
from billing_common.domain.lifecycle import NotAllowed
from billing_common.domain.outbox_job import EXPIRE_CHECKOUT_SESSION
from billing_common.domain.provider_objects import ProviderSession, ProviderSessionStatus
from billing_common.domain.subscription import CURRENT_CAPABLE, Subscription
from checkout.decisions.answers import Answer, Asked, refusal
from checkout.decisions.finalisation import Binding, CleanUp, Close

_S = SessionStatus
_EVENT_OF: Final = {
    ProviderSessionStatus.OPEN: SessionEvent.PROVIDER_OPEN,
    ProviderSessionStatus.COMPLETE: SessionEvent.COMPLETED,
    ProviderSessionStatus.EXPIRED: SessionEvent.EXPIRED,
}
_FIRST_STATUS: Final = {
    SessionEvent.PROVIDER_OPEN: _S.OPEN,
    SessionEvent.COMPLETED: _S.COMPLETED_PENDING_SUBSCRIPTION,
    SessionEvent.EXPIRED: _S.EXPIRED,
    SessionEvent.ABANDONED: _S.ABANDONED,
}


def bind_session(binding: Binding[ProviderSession]) -> Close:
    """Total over the locked rows of the entity and the session found at the provider."""
    operation, found = binding.operation, binding.found
    mine = next(
        (row for row in binding.sessions if row.operation_key == operation.operation_key), None
    )
    others = [
        row
        for row in binding.sessions
        if row is not mine and row.flow is SessionFlow.SUBSCRIPTION and row.status in BLOCKING
    ]
    obstacle = _obstacle(operation, mine, others, binding.subscriptions, found)
    session = _session_after(
        operation, mine, binding.subscriptions, found, obstacle, has_rival=bool(others)
    )
    return _close(operation, session, found, obstacle, binding.asked)


def _obstacle(
    operation: Operation,
    mine: CheckoutSession | None,
    others: list[CheckoutSession],
    subscriptions: tuple[Subscription, ...],
    found: ProviderSession,
) -> FailureCode | None:
    """Why this checkout may not go on although its session exists, or None."""
    if flow_of(operation) is SessionFlow.ONE_OFF:
        return None  # any number of them may be open, beside any subscription
    own_ids = {found.subscription_id, mine.provider_subscription_id if mine else None}
    for row in subscriptions:
        is_ours = (
            row.operation_key == operation.operation_key or row.provider_subscription_id in own_ids
        )
        if row.status in CURRENT_CAPABLE and not is_ours:
            return FailureCode.SUBSCRIPTION_EXISTS_USE_PORTAL
    if any(row.status is _S.COMPLETED_PENDING_SUBSCRIPTION for row in others):
        # It is paid: its subscription is on its way.
        return FailureCode.SUBSCRIPTION_EXISTS_USE_PORTAL
    return FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED if others else None


def _session_after(
    operation: Operation,
    mine: CheckoutSession | None,
    subscriptions: tuple[Subscription, ...],
    found: ProviderSession,
    obstacle: FailureCode | None,
    *,
    has_rival: bool,
) -> CheckoutSession:
    if mine is not None and mine.provider_checkout_session_id not in (None, found.id):
        return mine  # bound once; the one that was found is loose
    event = _EVENT_OF[found.status]
    is_paid = found.status is ProviderSessionStatus.COMPLETE
    # What has been paid stays on the books, unless the unique key of the rival forbids it.
    if obstacle is not None and (has_rival if is_paid else event is SessionEvent.PROVIDER_OPEN):
        event = SessionEvent.ABANDONED
    status = _moved(mine, event)
    if mine is not None and status is None:
        return mine  # an event was here first: never regress
    row = replace(
        mine or _blank(operation, found),
        provider_checkout_session_id=found.id,
        provider_customer_id=found.customer_id,
        provider_subscription_id=found.subscription_id
        or (mine.provider_subscription_id if mine else None),
        status=status or _FIRST_STATUS[event],
        expires_at=found.expires_at,
    )
    row = _reconciled(row, subscriptions)
    return replace(row, checkout_url=found.url if row.status is _S.OPEN else None)


def _moved(mine: CheckoutSession | None, event: SessionEvent) -> SessionStatus | None:
    if mine is None:
        return None
    outcome = SESSION.apply(mine.status, event)
    return None if isinstance(outcome, NotAllowed) else outcome.state


def _reconciled(row: CheckoutSession, subscriptions: tuple[Subscription, ...]) -> CheckoutSession:
    """Paid, and its subscription is in our tables already, or it sells none: done."""
    is_waiting = row.flow is SessionFlow.SUBSCRIPTION and not any(
        known.provider_subscription_id == row.provider_subscription_id for known in subscriptions
    )
    if row.status is not _S.COMPLETED_PENDING_SUBSCRIPTION or is_waiting:
        return row
    return replace(row, status=_moved(row, SessionEvent.RECONCILED) or row.status)


def _blank(operation: Operation, found: ProviderSession) -> CheckoutSession:
    return CheckoutSession(
        id=None,
        billable_entity_id=operation.billable_entity_id,
        provider=operation.provider,
        flow=flow_of(operation),
        operation_key=operation.operation_key,
        idempotency_row_id=operation.id,
        provider_checkout_session_id=None,
        provider_customer_id=found.customer_id,
        provider_subscription_id=None,
        status=_S.OPEN,
        checkout_url=None,
        expires_at=found.expires_at,
        completed_at=None,
        watermark=None,
        row_version=0,
    )


def _close(
    operation: Operation,
    session: CheckoutSession,
    found: ProviderSession,
    obstacle: FailureCode | None,
    asked: Asked,
) -> Close:
    is_payable = session.status is _S.OPEN and session.provider_checkout_session_id == found.id
    loose = () if is_payable else expiries(found)
    code = obstacle
    if code is None and session.status in (_S.EXPIRED, _S.ABANDONED):
        code = FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED
    if code is None:
        event = OperationEvent.SESSION_BOUND
        answer = Answer(HTTP_STATUS, _body(operation, session), OperationStatus.SUCCEEDED.value)
    else:
        event = (
            OperationEvent.WINDOW_ELAPSED
            if code is FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED
            else OperationEvent.REFUSED
        )
        answer = refusal(code, asked)
    return Close(
        session=session,
        event=event,
        failure_code=code,
        provider_object_id=session.provider_checkout_session_id,
        answer=answer,
        clean_ups=loose,
    )


def expiries(found: ProviderSession) -> tuple[CleanUp, ...]:
    """What makes a session that is not bound payable by nobody: only an open one can be expired."""
    if found.status is not ProviderSessionStatus.OPEN:
        return ()
    return (CleanUp(EXPIRE_CHECKOUT_SESSION, found.id),)


def flow_of(operation: Operation) -> SessionFlow:
    """What the checkout sells."""
    return SessionFlow(operation.flow or SessionFlow.SUBSCRIPTION)


def _body(operation: Operation, session: CheckoutSession) -> str:
    return checkout_response_body(
        billable_entity_id=operation.billable_entity_id,
        operation_key=operation.operation_key,
        flow=session.flow,
        session_status=session.status,
        checkout_url=session.checkout_url,
        expires_at=session.expires_at,
    )
