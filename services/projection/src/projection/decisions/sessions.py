"""Folding checkout.session.*: sessions only ever move forward, in either arrival order."""

from __future__ import annotations

from dataclasses import replace

from billing_common.contracts.checkout_response import HTTP_STATUS, checkout_response_body
from billing_common.contracts.problem import problem_body
from billing_common.domain.checkout_session import (
    SESSION,
    CheckoutSession,
    SessionEvent,
    SessionFlow,
    SessionStatus,
)
from billing_common.domain.failure_codes import FAILURES, FailureCode
from billing_common.domain.idempotency import OPERATION, Operation, OperationEvent
from billing_common.domain.lifecycle import Applied as Moved
from billing_common.domain.lifecycle import NotAllowed
from billing_common.domain.ordering import advance
from billing_common.domain.provider_objects import ProviderSession, ProviderSessionStatus
from projection.decisions.event import (
    Applied,
    Ignored,
    IgnoreReason,
    Outcome,
    RefusalCode,
    Refused,
    StripeEvent,
)
from projection.decisions.state import Change, EntityState

_EVENT_OF = {
    ProviderSessionStatus.COMPLETE: SessionEvent.COMPLETED,
    ProviderSessionStatus.EXPIRED: SessionEvent.EXPIRED,
}


def fold_session(state: EntityState, event: StripeEvent, source: ProviderSession) -> Outcome:
    """Total. The strict table makes ties harmless: completed and expired exclude each other."""
    if source.operation_key is None:
        # A session of ours always carries its key; this one was made elsewhere.
        return Ignored(IgnoreReason.NOT_OURS)
    stored = state.sessions.get(source.operation_key)
    if _is_loose(stored, source):
        return Ignored(IgnoreReason.NOT_BOUND)
    problem = _mismatch(state, stored, source)
    if problem is not None:
        return problem
    what = _EVENT_OF.get(source.status)
    if what is None:
        return Refused(RefusalCode.SHAPE_UNEXPECTED, "the session of this event is still open")
    status = _next_status(stored, what)
    if status is None:
        return Ignored(IgnoreReason.TERMINAL)
    row = _row(state, event, source, stored=stored, status=status)
    moved = _finish_operation(state.with_session(row), row)
    moved = reconcile_sessions(moved)
    return Applied(
        moved.with_change(
            Change(
                "checkout_session",
                row.operation_key,
                moved.sessions[row.operation_key].status.value,
                row.operation_key,
                event.event_id,
            )
        )
    )


def reconcile_sessions(state: EntityState) -> EntityState:
    """A paid session whose subscription is in our tables is done; one that sells no subscription
    has none to wait for. Run after every fold: it does not matter which of the two came first."""
    for session in tuple(state.sessions.values()):
        if (
            session.flow is SessionFlow.SUBSCRIPTION
            and session.provider_subscription_id not in state.subscriptions
        ):
            continue
        outcome = SESSION.apply(session.status, SessionEvent.RECONCILED)
        if isinstance(outcome, Moved):
            state = state.with_session(replace(session, status=outcome.state))
    return state


def _next_status(stored: CheckoutSession | None, what: SessionEvent) -> SessionStatus | None:
    """The status after `what`, or None when a terminal row has nothing to learn from it."""
    if stored is None:
        return (
            SessionStatus.COMPLETED_PENDING_SUBSCRIPTION
            if what is SessionEvent.COMPLETED
            else SessionStatus.EXPIRED
        )
    outcome = SESSION.apply(stored.status, what)
    return None if isinstance(outcome, NotAllowed) else outcome.state


def _is_loose(stored: CheckoutSession | None, source: ProviderSession) -> bool:
    """Another session of the operation is bound, and this one can no longer be paid: that is how
    a session that was never handed out should end."""
    return (
        stored is not None
        and stored.provider_checkout_session_id not in (None, source.id)
        and source.status is ProviderSessionStatus.EXPIRED
    )


def _mismatch(
    state: EntityState, stored: CheckoutSession | None, source: ProviderSession
) -> Refused | None:
    operation = state.operations.get(source.operation_key or "")
    if operation is None and stored is None:
        return Refused(RefusalCode.CORRELATION_MISMATCH, "no operation of this entity has this key")
    if stored is None:
        return None
    bound = stored.provider_checkout_session_id
    if bound is not None and bound != source.id:
        return Refused(
            RefusalCode.CORRELATION_MISMATCH, "the operation is bound to another session"
        )
    known = stored.provider_customer_id
    if known is not None and source.customer_id is not None and known != source.customer_id:
        return Refused(RefusalCode.CORRELATION_MISMATCH, "the session names another customer")
    return None


def _row(
    state: EntityState,
    event: StripeEvent,
    source: ProviderSession,
    *,
    stored: CheckoutSession | None,
    status: SessionStatus,
) -> CheckoutSession:
    operation = state.operations.get(source.operation_key or "")
    is_completion = source.status is ProviderSessionStatus.COMPLETE
    return CheckoutSession(
        id=stored.id if stored else None,
        billable_entity_id=state.billable_entity_id,
        provider="stripe",
        flow=SessionFlow.SUBSCRIPTION if source.mode == "subscription" else SessionFlow.ONE_OFF,
        operation_key=source.operation_key or "",
        idempotency_row_id=(
            stored.idempotency_row_id if stored else operation.id if operation else None
        ),
        provider_checkout_session_id=source.id,
        provider_customer_id=source.customer_id,
        provider_subscription_id=source.subscription_id,
        status=status,
        checkout_url=None,
        expires_at=source.expires_at,
        completed_at=event.created_at
        if is_completion
        else (stored.completed_at if stored else None),
        watermark=advance(stored.watermark if stored else None, event.watermark),
        row_version=stored.row_version if stored else 0,
    )


def _finish_operation(state: EntityState, session: CheckoutSession) -> EntityState:
    """The event may prove the outcome before Tx B does. The row's lease version goes up, so the
    late Tx B is fenced and answers what is stored here."""
    operation = state.operations.get(session.operation_key)
    if operation is None:
        return state
    if session.status is SessionStatus.EXPIRED:
        return _close(state, operation, OperationEvent.WINDOW_ELAPSED, session)
    return _close(state, operation, OperationEvent.SESSION_BOUND, session)


def _close(
    state: EntityState, operation: Operation, event: OperationEvent, session: CheckoutSession
) -> EntityState:
    outcome = OPERATION.apply(operation.status, event)
    if not isinstance(outcome, Moved):
        return state
    if event is OperationEvent.SESSION_BOUND:
        http_status, code = HTTP_STATUS, None
        body = checkout_response_body(
            billable_entity_id=operation.billable_entity_id,
            operation_key=operation.operation_key,
            flow=session.flow,
            session_status=session.status,
            checkout_url=None,
            expires_at=session.expires_at,
        )
    else:
        code = FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED
        http_status = FAILURES[code].http_status
        # No request of a client is at hand here; the operation names itself.
        body = problem_body(
            code, request_id=operation.operation_key, operation_key=operation.operation_key
        )
    return state.with_operation(
        replace(
            operation,
            status=outcome.state,
            lease_version=operation.lease_version + 1,
            lease_owner=None,
            lease_expires_at=None,
            provider_session_id=session.provider_checkout_session_id,
            response_status=http_status,
            response_body=body.encode(),
            failure_code=None if code is None else code.value,
        )
    )
