"""Recovery of a pending operation whose lease has ended: R1, the provider, R2.

R1 takes the lease, which fences whoever had it. Then what is known decides (decisions/recovery).
R2 is Tx B with the new lease version. Run by reconciler's command and by a client's retry alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import (
    FrozenRequest,
    Operation,
    OperationEvent,
    OperationStatus,
)
from billing_common.storage.entity_locks import database_now
from billing_common.storage.transaction import WriteConnection
from checkout.decisions.answers import Answer, Asked, in_progress, provider_reason, stored_answer
from checkout.decisions.recovery import (
    End,
    FinishKnown,
    Repeat,
    decide_recovery,
    hold_end,
    lease_seconds,
)
from checkout.handlers.context import CheckoutContext, HeldLease, Target
from checkout.handlers.ending import EndRequest, end_operation
from checkout.handlers.finalise import Finalisation, finalise, lock_target
from checkout.handlers.provider_session import (
    Found,
    Rejected,
    SessionRequest,
    Unknown,
    create_session,
    retrieve_session,
)
from checkout.repository import operations

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Taken:
    """The operation is ours: as it was read, and the lease we now hold. `now`: database clock."""

    operation: Operation
    lease: HeldLease
    now: datetime


async def recover(context: CheckoutContext, target: Target, asked: Asked) -> Answer:
    """Finish the operation, or leave it pending for the next attempt; never guess.

    Raises OperationUnknown when the entity has no such row.
    """
    taken = await take_over(context, target, asked)
    if isinstance(taken, Answer):
        return taken
    operation = taken.operation
    log.info(
        "checkout.recovering",
        idempotency_row_id=operation.id,
        lease_version=taken.lease.version,
        attempt=operation.recovery_attempt_count + 1,
    )
    decision = decide_recovery(operation, provenance=context.provider.provenance, now=taken.now)
    match decision:
        case End(event, code, reason, hold_until):
            return await end_operation(
                context,
                EndRequest(
                    target=target,
                    lease_version=taken.lease.version,
                    event=event,
                    code=code,
                    reason=reason,
                    asked=asked,
                    hold_until=hold_until,
                ),
            )
        case FinishKnown(provider_session_id):
            request = _request(operation, _frozen(operation))
            outcome = await retrieve_session(context, request, provider_session_id, taken.lease)
            return await _settle(context, target, taken, outcome, asked)
        case Repeat(frozen):
            outcome = await create_session(
                context, _request(operation, frozen), taken.lease, is_first_call=False
            )
            return await _settle(context, target, taken, outcome, asked)


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


async def _settle(
    context: CheckoutContext,
    target: Target,
    taken: Taken,
    outcome: Found | Rejected | Unknown,
    asked: Asked,
) -> Answer:
    match outcome:
        case Found():
            return await finalise(
                context, Finalisation(target, taken.lease.version, outcome, asked)
            )
        case Rejected(failure):
            return await end_operation(
                context,
                EndRequest(
                    target=target,
                    lease_version=taken.lease.version,
                    event=OperationEvent.REFUSED,
                    code=FailureCode.CHECKOUT_PROVIDER_ERROR,
                    reason=provider_reason(failure),
                    asked=asked,
                    # A session that was bound and is unknown now belongs to another account or
                    # mode: nothing proves that it cannot be paid.
                    hold_until=(
                        hold_end(_frozen(taken.operation))
                        if taken.operation.provider_session_id
                        else None
                    ),
                ),
            )
        case Unknown():
            return in_progress(asked)


def _request(operation: Operation, frozen: FrozenRequest) -> SessionRequest:
    return SessionRequest(
        billable_entity_id=operation.billable_entity_id,
        operation_key=operation.operation_key,
        provider_idempotency_key=operation.provider_idempotency_key,
        frozen=frozen,
    )


def _frozen(operation: Operation) -> FrozenRequest:
    if operation.frozen is None:
        raise BugError("only a frozen operation is repeated or finished")
    return operation.frozen
