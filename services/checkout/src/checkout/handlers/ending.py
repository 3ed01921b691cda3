"""Ends an operation that has no session: rejected, or not to be repeated, behind a hold if needed.

The hold is stored in the same transaction, before the row is marked: at no moment is the entity
free to buy again while an unknown session could still be paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import Operation, OperationEvent, OperationStatus
from billing_common.observability.metrics import guardrail
from billing_common.storage.database_errors import CommitOutcomeUnknown
from billing_common.storage.entity_locks import (
    database_now,
    lock_checkout_sessions,
    lock_entities,
)
from billing_common.storage.transaction import WriteConnection
from checkout.decisions.answers import Answer, Asked, refusal, stored_answer
from checkout.decisions.recovery import decide_hold
from checkout.handlers.context import CheckoutContext, Target
from checkout.handlers.finalise import (
    FencedOff,
    answer_what_is_stored,
    fenced,
    lock_target,
    status_after,
)
from checkout.repository import operations
from checkout.repository.sessions import save_session


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRequest:
    """How it ends. `reason` is for operators: ids and codes only, never a payload."""

    target: Target
    lease_version: int
    event: OperationEvent
    code: FailureCode
    reason: str
    asked: Asked
    hold_until: datetime | None = None


async def end_operation(context: CheckoutContext, request: EndRequest) -> Answer:
    """Commit the end; a row that has ended before, or has another holder, is left alone."""

    async def transaction(connection: WriteConnection) -> Answer:
        return await _end(connection, request)

    try:
        answer = await context.database.write(transaction, name="checkout.end")
    except FencedOff:
        return fenced("checkout.end", request.target, request.lease_version, request.asked)
    except CommitOutcomeUnknown:
        return await answer_what_is_stored(context, request.target, request.asked)
    if not answer.is_replay:
        guardrail(request.code.value)
    return answer


async def _end(connection: WriteConnection, request: EndRequest) -> Answer:
    await lock_entities(connection, (request.target.billable_entity_id,))
    operation = await lock_target(connection, request.target)
    if operation.status is not OperationStatus.PENDING:
        return stored_answer(operation)
    if operation.lease_version != request.lease_version:
        raise FencedOff
    if request.hold_until is not None:
        await _hold(connection, operation, request.hold_until)
    answer = refusal(request.code, request.asked)
    is_ours = await operations.finish(
        connection,
        row_id=operation.id,
        lease_version=request.lease_version,
        ending=operations.Ending(
            status=status_after(request.event),
            provider_session_id=operation.provider_session_id,
            response_status=answer.http_status,
            response_body=answer.body,
            failure_code=request.code.value,
            failure_reason=request.reason,
        ),
        now=await database_now(connection),
    )
    if not is_ours:
        raise FencedOff
    return answer


async def _hold(connection: WriteConnection, operation: Operation, until: datetime) -> None:
    sessions = await lock_checkout_sessions(connection, (operation.billable_entity_id,))
    hold = decide_hold(operation, sessions=sessions, until=until)
    if hold is None:
        return
    if not await save_session(connection, hold, now=await database_now(connection)):
        raise BugError(f"session row {hold.id} moved under our lock")
