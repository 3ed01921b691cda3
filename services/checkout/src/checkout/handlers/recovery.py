"""Recovery of a pending operation whose lease has ended: R1, the provider, R2.

R1 takes the lease, which fences whoever had it. Then what is known decides (decisions/recovery).
R2 is Tx B with the new lease version. Run by reconciler's command and by a client's retry alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from billing_common.domain.errors import BugError
from billing_common.domain.idempotency import Operation, OperationStatus
from billing_common.storage.entity_locks import database_now
from billing_common.storage.transaction import WriteConnection
from checkout.decisions.answers import Answer, Asked, in_progress, stored_answer
from checkout.decisions.recovery import (
    End,
    FinishKnown,
    Repeat,
    decide_recovery,
    hold_end,
    lease_seconds,
)
from checkout.handlers.actions.registry import AnyAction, action_of_row
from checkout.handlers.context import CheckoutContext, HeldLease, Target, Unsettled
from checkout.handlers.ending import EndRequest, end_operation
from checkout.handlers.finalise import lock_target
from checkout.handlers.key_series import send
from checkout.handlers.provider_call import look, retrieve
from checkout.handlers.provider_steps import Found, request_of
from checkout.handlers.settlement import HeldOperation, settle
from checkout.repository import operations

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Taken:
    """The operation is ours: as it was read, and the lease we now hold. `now`: database clock."""

    operation: Operation
    lease: HeldLease
    now: datetime


async def begin_recovery(
    context: CheckoutContext, target: Target, asked: Asked
) -> Answer | Unsettled:
    """R1; the provider and R2 are left to finish: bound, ended, or pending for the next attempt.

    Raises OperationUnknown when the entity has no such row.
    """
    taken = await take_over(context, target, asked)
    if isinstance(taken, Answer):
        return taken

    async def finish() -> Answer:
        return await _go_on(context, target, taken, asked)

    return Unsettled(finish)


async def _go_on(context: CheckoutContext, target: Target, taken: Taken, asked: Asked) -> Answer:
    operation, lease = taken.operation, taken.lease
    action = action_of_row(operation)
    held = HeldOperation(action, target, lease, asked)
    log.info(
        "checkout.recovering",
        idempotency_row_id=operation.id,
        lease_version=lease.version,
        attempt=operation.recovery_attempt_count + 1,
    )
    decision = decide_recovery(
        operation,
        provenance=context.provider.provenance,
        schema_version=action.schema_version,
        now=taken.now,
    )
    match decision:
        case End():
            seen = await _last_look(context, action, taken, decision)
            if seen is not None:
                return await settle(context, held, seen)
            return await _end(context, held, decision)
        case FinishKnown(object_id, frozen):
            request = request_of(operation, frozen)
            found = await retrieve(context, action.steps, request, object_id, lease)
            # What was bound and is unknown now belongs to another account or mode: nothing
            # proves that it cannot be paid.
            return await settle(context, held, found, hold_until=_hold(action, hold_end(frozen)))
        case Repeat(frozen):
            request = request_of(operation, frozen)
            found = await send(context, action.steps, request, lease, is_first_call=False)
            return await settle(context, held, found)


async def _last_look(
    context: CheckoutContext, action: AnyAction, taken: Taken, end: End
) -> Found[Any] | None:
    """Before a hold: what the first call made can still be bound, if it shows. Finding nothing
    proves nothing, so the hold follows."""
    frozen = taken.operation.frozen
    if end.hold_until is None or frozen is None:
        return None
    seen = await look(context, action.steps, request_of(taken.operation, frozen), taken.lease)
    return seen if isinstance(seen, Found) else None


async def _end(context: CheckoutContext, held: HeldOperation, end: End) -> Answer:
    return await end_operation(
        context,
        EndRequest(
            target=held.target,
            lease_version=held.lease.version,
            event=end.event,
            code=end.code,
            reason=end.reason,
            asked=held.asked,
            hold_until=_hold(held.action, end.hold_until),
        ),
    )


def _hold(action: AnyAction, until: datetime | None) -> datetime | None:
    """Only what must not exist twice is waited for."""
    return until if action.is_exclusive else None


async def take_over(context: CheckoutContext, target: Target, asked: Asked) -> Taken | Answer:
    """R1. An answer instead when the operation has ended, or is leased after all."""
    started_seconds = context.monotonic()

    async def transaction(connection: WriteConnection) -> Taken | Answer:
        operation = await lock_target(connection, target)
        if operation.status is not OperationStatus.PENDING:
            return stored_answer(operation)
        now = await database_now(connection)
        if operation.is_leased(now):
            return in_progress(asked)
        length_seconds = lease_seconds(
            context.lease_seconds, recovery_attempt_count=operation.recovery_attempt_count + 1
        )
        is_taken = await operations.take_lease(
            connection,
            row_id=operation.id,
            from_version=operation.lease_version,
            owner=context.lease_owner,
            expires_at=now + timedelta(seconds=length_seconds),
            now=now,
        )
        if not is_taken:
            raise BugError(f"operation row {operation.id} moved under our lock")
        lease = HeldLease(operation.lease_version + 1, started_seconds + length_seconds)
        return Taken(operation, lease, now)

    return await context.database.write(transaction, name="checkout.r1")
