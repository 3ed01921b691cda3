"""Tx B: bind the session that was found, or give it up; the operation's row is marked last.

Compare-and-set on status and lease version. Whoever comes late changes nothing and answers what
is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FAILURES
from billing_common.domain.idempotency import (
    OPERATION,
    Operation,
    OperationEvent,
    OperationStatus,
)
from billing_common.domain.lifecycle import Applied
from billing_common.observability.metrics import FENCED_WRITES, guardrail
from billing_common.storage.database_errors import CommitOutcomeUnknown
from billing_common.storage.entity_locks import (
    database_now,
    lock_checkout_sessions,
    lock_entities,
    lock_operations,
    lock_subscriptions,
)
from billing_common.storage.transaction import WriteConnection
from checkout.decisions.answers import Answer, Asked, in_progress, stored_answer
from checkout.decisions.finalisation import (
    AnswerStored,
    Close,
    Fenced,
    decide_finalisation,
    expiries,
)
from checkout.handlers.context import CheckoutContext, OperationUnknown, Target
from checkout.handlers.provider_session import Found
from checkout.repository import operations
from checkout.repository.outbox import queue_session_expiry
from checkout.repository.sessions import save_session

log = structlog.get_logger()


class FencedOff(Exception):  # noqa: N818 - exceptions are facts here
    """The row is pending under another lease. Raised inside a transaction to roll it back."""


@dataclass(frozen=True, slots=True)
class Finalisation:
    """What Tx B works on."""

    target: Target
    lease_version: int
    found: Found
    asked: Asked


async def finalise(context: CheckoutContext, work: Finalisation) -> Answer:
    """Commit Tx B and return what the client is answered: now stored, or stored before."""

    async def transaction(connection: WriteConnection) -> Answer:
        return await _finalise(connection, work)

    try:
        return await context.database.write(transaction, name="checkout.tx_b")
    except FencedOff:
        return fenced("checkout.tx_b", work.target, work.lease_version, work.asked)
    except CommitOutcomeUnknown:
        return await answer_what_is_stored(context, work.target, work.asked)


def fenced(name: str, target: Target, lease_version: int, asked: Asked) -> Answer:
    """Count the refused write; the new holder of the lease will answer."""
    FENCED_WRITES.labels(name=name).inc()
    log.warning(
        "checkout.fenced",
        transaction=name,
        idempotency_row_id=target.row_id,
        lease_version=lease_version,
    )
    return in_progress(asked)


async def answer_what_is_stored(context: CheckoutContext, target: Target, asked: Asked) -> Answer:
    """After a COMMIT whose answer was lost. Never assumes that it failed."""
    async with context.database.read(name="checkout.read_again") as connection:
        operation = await operations.find_operation(connection, row_id=target.row_id)
    if operation is None or operation.status is OperationStatus.PENDING:
        return in_progress(asked)
    return stored_answer(operation)


async def lock_target(connection: WriteConnection, target: Target) -> Operation:
    """The operation's row, locked. Raises OperationUnknown when the entity has no such row."""
    rows = await lock_operations(connection, row_ids=(target.row_id,))
    if not rows or rows[0].billable_entity_id != target.billable_entity_id:
        raise OperationUnknown(f"entity {target.billable_entity_id} has no row {target.row_id}")
    return rows[0]


def status_after(event: OperationEvent) -> OperationStatus:
    """Where `event` takes a pending operation."""
    outcome = OPERATION.apply(OperationStatus.PENDING, event)
    if not isinstance(outcome, Applied):
        raise BugError(f"{event} does not end a pending operation")
    return outcome.state


async def _finalise(connection: WriteConnection, work: Finalisation) -> Answer:
    entity = (work.target.billable_entity_id,)
    await lock_entities(connection, entity)
    subscriptions = await lock_subscriptions(connection, entity)
    operation = await lock_target(connection, work.target)
    sessions = await lock_checkout_sessions(connection, entity)
    decision = decide_finalisation(
        operation=operation,
        lease_version=work.lease_version,
        subscriptions=subscriptions,
        sessions=sessions,
        found=work.found.session,
        asked=work.asked,
    )
    loose = tuple(session_id for session in work.found.loose for session_id in expiries(session))
    match decision:
        case Fenced():
            raise FencedOff
        case AnswerStored(expire_session_ids):
            await _queue_expiries(connection, operation, expire_session_ids + loose)
            return stored_answer(operation)
        case Close():
            if decision.session not in sessions:
                await _save(connection, decision)
            await _queue_expiries(connection, operation, decision.expire_session_ids + loose)
            await _mark(connection, work, decision)
            return decision.answer


async def _save(connection: WriteConnection, decision: Close) -> None:
    now = await database_now(connection)
    if not await save_session(connection, decision.session, now=now):
        raise BugError(f"session row {decision.session.id} moved under our lock")


async def _queue_expiries(
    connection: WriteConnection, operation: Operation, session_ids: tuple[str, ...]
) -> None:
    for session_id in sorted(set(session_ids)):
        guardrail("checkout_session_orphaned")
        await queue_session_expiry(
            connection,
            billable_entity_id=operation.billable_entity_id,
            operation_key=operation.operation_key,
            provider=operation.provider,
            provider_session_id=session_id,
            now=await database_now(connection),
        )


async def _mark(connection: WriteConnection, work: Finalisation, decision: Close) -> None:
    """The last statement: from its commit on the answer is final and the URL may leave."""
    code = decision.failure_code
    is_ours = await operations.finish(
        connection,
        row_id=work.target.row_id,
        lease_version=work.lease_version,
        ending=operations.Ending(
            status=status_after(decision.event),
            provider_session_id=decision.provider_session_id,
            response_status=decision.answer.http_status,
            response_body=decision.answer.body,
            failure_code=None if code is None else code.value,
            failure_reason=None if code is None else FAILURES[code].message,
        ),
        now=await database_now(connection),
    )
    if not is_ours:
        raise FencedOff
