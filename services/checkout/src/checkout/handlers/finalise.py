"""Tx B: bind the object that was found, or give it up; the operation's row is marked last.

Compare-and-set on status and lease version. Whoever comes late changes nothing and answers what
is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog

from billing_common.domain.checkout_session import CheckoutSession
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
    Binding,
    CleanUp,
    Close,
    Standing,
    decide_standing,
)
from checkout.handlers.actions.registry import AnyAction
from checkout.handlers.context import CheckoutContext, OperationUnknown, Target
from checkout.handlers.provider_steps import Found
from checkout.repository import operations
from checkout.repository.outbox import queue_clean_up
from checkout.repository.payment_links import insert_payment_link, withdraw_payment_link
from checkout.repository.sessions import save_session

log = structlog.get_logger()


class FencedOff(Exception):  # noqa: N818 - exceptions are facts here
    """The row is pending under another lease. Raised inside a transaction to roll it back."""


@dataclass(frozen=True, slots=True)
class Finalisation:
    """What Tx B works on."""

    action: AnyAction
    target: Target
    lease_version: int
    found: Found[Any]
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
    action, found = work.action, work.found
    await lock_entities(connection, entity)
    subscriptions = await lock_subscriptions(connection, entity)
    operation = await lock_target(connection, work.target)
    # A flow has sessions; other actions leave none.
    sessions = await lock_checkout_sessions(connection, entity) if action.flow else ()
    loose = tuple(job for other in found.loose for job in action.steps.clean_ups(other))
    match decide_standing(operation, lease_version=work.lease_version):
        case Standing.FENCED:
            raise FencedOff
        case Standing.FINISHED:
            if operation.provider_session_id != found.value.id:
                loose += action.steps.clean_ups(found.value)
            await _queue(connection, operation, loose)
            return stored_answer(operation)
        case Standing.OURS:
            close = action.bind(
                Binding(
                    operation=operation,
                    subscriptions=subscriptions,
                    sessions=sessions,
                    found=found.value,
                    asked=work.asked,
                )
            )
            if close.session is not None and close.session not in sessions:
                await _save(connection, close.session)
            await _save_link(connection, operation, close)
            await _queue(connection, operation, close.clean_ups + loose)
            await _mark(connection, work, close)
            return close.answer


async def _save(connection: WriteConnection, session: CheckoutSession) -> None:
    if not await save_session(connection, session, now=await database_now(connection)):
        raise BugError(f"session row {session.id} moved under our lock")


async def _save_link(connection: WriteConnection, operation: Operation, close: Close) -> None:
    now = await database_now(connection)
    if close.payment_link is not None:
        await insert_payment_link(connection, close.payment_link, now=now)
    if close.withdrawn_payment_link_id is not None:
        await withdraw_payment_link(
            connection,
            provider=operation.provider,
            provider_payment_link_id=close.withdrawn_payment_link_id,
            now=now,
        )


async def _queue(
    connection: WriteConnection, operation: Operation, jobs: tuple[CleanUp, ...]
) -> None:
    for job in sorted(set(jobs), key=lambda job: (job.job_type, job.provider_object_id)):
        guardrail("checkout_session_orphaned")
        await queue_clean_up(
            connection,
            billable_entity_id=operation.billable_entity_id,
            operation_key=operation.operation_key,
            provider=operation.provider,
            job_type=job.job_type,
            provider_object_id=job.provider_object_id,
            now=await database_now(connection),
        )


async def _mark(connection: WriteConnection, work: Finalisation, close: Close) -> None:
    """The last statement: from its commit on the answer is final and the URL may leave."""
    code = close.failure_code
    is_ours = await operations.finish(
        connection,
        row_id=work.target.row_id,
        lease_version=work.lease_version,
        ending=operations.Ending(
            status=status_after(close.event),
            provider_session_id=close.provider_object_id,
            response_status=close.answer.http_status,
            response_body=close.answer.body,
            failure_code=None if code is None else code.value,
            failure_reason=None if code is None else FAILURES[code].message,
        ),
        now=await database_now(connection),
    )
    if not is_ours:
        raise FencedOff
