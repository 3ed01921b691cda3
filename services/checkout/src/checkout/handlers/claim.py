"""Tx A: claim the key, end what has ended, check what blocks, decide, freeze the request.

All or nothing, in the one lock order. A transient block takes the claim back, so the same key may
be tried again; the sessions that have ended stay ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing_common.domain.checkout_session import CheckoutSession
from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FAILURES, FailureCode
from billing_common.domain.idempotency import FrozenRequest, OperationStatus
from billing_common.domain.operation_keys import provider_idempotency_key
from billing_common.domain.subscription import Subscription
from billing_common.storage.database_errors import CommitOutcomeUnknown
from billing_common.storage.entity_locks import (
    database_now,
    lock_checkout_sessions,
    lock_entities,
    lock_subscriptions,
)
from billing_common.storage.insert_once import Conflict
from billing_common.storage.transaction import WriteConnection
from checkout.decisions.answers import Answer, refusal
from checkout.decisions.blockade import decide_blockade
from checkout.decisions.claim import LeaseEnded
from checkout.decisions.frozen_request import freeze
from checkout.decisions.situation import Admitted, Blocked, Names, Refused, Situation
from checkout.handlers.context import CheckoutContext, EntityUnknown, HeldLease
from checkout.handlers.existing import ClaimRequest, answer_existing, answer_taken
from checkout.handlers.provider_steps import ProviderRequest, request_of
from checkout.repository import operations
from checkout.repository.sessions import save_session


@dataclass(frozen=True, slots=True)
class Claimed:
    """The operation is ours until the lease ends; its request is frozen and committed."""

    request: ProviderRequest
    lease: HeldLease


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nothing is claimed: the provider must be asked about these sessions first."""

    sessions: tuple[CheckoutSession, ...]


Outcome = Claimed | Answer | LeaseEnded | InDoubt


async def claim(context: CheckoutContext, request: ClaimRequest) -> Outcome:
    """Commit Tx A. Raises EntityUnknown, OperationKeyTaken, and the transient database errors."""
    lease = HeldLease(1, context.monotonic() + context.lease_seconds)

    async def transaction(connection: WriteConnection) -> Outcome:
        return await _claim(connection, context, request, lease)

    try:
        return await context.database.write(transaction, name="checkout.tx_a")
    except CommitOutcomeUnknown:
        found = await _read_again(context, request, lease)
        if found is None:
            raise  # nothing is stored, or not visible yet: the command is handled again
        return found


async def _claim(
    connection: WriteConnection,
    context: CheckoutContext,
    request: ClaimRequest,
    lease: HeldLease,
) -> Outcome:
    entity = (request.entity_id,)
    if not await lock_entities(connection, entity):
        raise EntityUnknown(f"there is no billable entity {request.entity_id}")
    subscriptions = await lock_subscriptions(connection, entity)
    now = await database_now(connection)
    await operations.mark_claim_point(connection)
    claimed = await operations.claim(connection, _new_row(context, request, now))
    if isinstance(claimed, Conflict):
        return await answer_taken(connection, request, claimed, now)
    if request.action.is_exclusive:
        obstacle = await _clear_way(connection, request, subscriptions, now)
        if obstacle is not None:
            return obstacle
    names = Names(request.entity_id, request.command.operation_key, claimed.id)
    deadlines = request.action.deadlines(now)
    verdict = request.action.decide(
        Situation(
            payload=request.payload,
            gathered=await request.action.gather(connection, context, request.payload),
            names=names,
            subscriptions=subscriptions,
            provider_customer_id=request.provider_customer_id,
            currency=context.currency,
            public_url=context.public_url,
            deadlines=deadlines,
            now=now,
        )
    )
    match verdict:
        case Blocked():
            await operations.take_back_claim(connection)
            return _blocked(verdict, request)
        case Refused(code):
            return await _refuse(connection, request, row_id=claimed.id, code=code, now=now)
        case Admitted(params):
            frozen = freeze(
                params,
                schema_version=request.action.schema_version,
                provenance=context.provider.provenance,
                deadlines=deadlines,
                now=now,
            )
            return await _freeze(
                connection, context, request, row_id=claimed.id, frozen=frozen, lease=lease, now=now
            )


async def _clear_way(
    connection: WriteConnection,
    request: ClaimRequest,
    subscriptions: tuple[Subscription, ...],
    now: datetime,
) -> Answer | InDoubt | None:
    """End what has ended. If something blocks, or must be asked about, the claim is taken back."""
    sessions = await lock_checkout_sessions(connection, (request.entity_id,))
    blockade = decide_blockade(
        sessions, subscriptions=subscriptions, evidence=request.evidence, now=now
    )
    if blockade.doubts or blockade.blocked is not None:
        await operations.take_back_claim(connection)
    for session in blockade.moved:
        if not await save_session(connection, session, now=now):
            raise BugError(f"session row {session.id} moved under our lock")
    if blockade.doubts:
        return InDoubt(blockade.doubts)
    return None if blockade.blocked is None else _blocked(blockade.blocked, request)


def _blocked(blocked: Blocked, request: ClaimRequest) -> Answer:
    return refusal(
        blocked.code,
        request.asked,
        details=blocked.details,
        retry_after_seconds=blocked.retry_after_seconds,
    )


def _new_row(context: CheckoutContext, request: ClaimRequest, now: datetime) -> operations.Claim:
    action, command, payload = request.action, request.command, request.payload
    return operations.Claim(
        billable_entity_id=request.entity_id,
        action=action.name,
        flow=None if action.flow is None else action.flow.value,
        client_idempotency_key=payload.client_idempotency_key,
        actor_user_id=command.actor.id if command.actor.kind == "user" else None,
        request_fingerprint_hash=payload.request_fingerprint_hash,
        normalized_request=payload.normalized_request,
        operation_key=command.operation_key,
        provider=context.provider_name,
        provider_idempotency_key=_provider_key(context, request),
        lease_owner=context.lease_owner,
        lease_expires_at=now + timedelta(seconds=context.lease_seconds),
        now=now,
    )


def _provider_key(context: CheckoutContext, request: ClaimRequest) -> str:
    return provider_idempotency_key(
        context.provider_key_secret,
        provider=context.provider_name,
        action=request.action.name.value,
        operation_key=request.command.operation_key,
    )


async def _refuse(
    connection: WriteConnection,
    request: ClaimRequest,
    *,
    row_id: int,
    code: FailureCode,
    now: datetime,
) -> Answer:
    """Stored at once, so that the same key is answered the same for as long as it is kept."""
    answer = refusal(code, request.asked)
    is_stored = await operations.finish(
        connection,
        row_id=row_id,
        lease_version=1,
        ending=operations.Ending(
            status=OperationStatus.FAILED,
            provider_session_id=None,
            response_status=answer.http_status,
            response_body=answer.body,
            failure_code=code.value,
            failure_reason=FAILURES[code].message,
        ),
        now=now,
    )
    if not is_stored:
        raise BugError(f"operation row {row_id} moved inside its own transaction")
    return answer


async def _freeze(
    connection: WriteConnection,
    context: CheckoutContext,
    request: ClaimRequest,
    *,
    row_id: int,
    frozen: FrozenRequest,
    lease: HeldLease,
    now: datetime,
) -> Claimed:
    if not await operations.freeze_request(connection, row_id=row_id, frozen=frozen, now=now):
        raise BugError(f"operation row {row_id} was frozen before it was claimed")
    return Claimed(
        ProviderRequest(
            billable_entity_id=request.entity_id,
            row_id=row_id,
            action_name=request.action.name.value,
            operation_key=request.command.operation_key,
            provider_idempotency_key=_provider_key(context, request),
            provider_attempt=1,
            frozen=frozen,
        ),
        lease,
    )


async def _read_again(
    context: CheckoutContext, request: ClaimRequest, lease: HeldLease
) -> Outcome | None:
    """After a COMMIT whose answer was lost: what is stored decides, not what we hope."""
    async with context.database.read(name="checkout.tx_a_again") as connection:
        found = await operations.find_by_client_key(
            connection,
            billable_entity_id=request.entity_id,
            action=request.action.name,
            client_idempotency_key=request.payload.client_idempotency_key,
        )
        now = await database_now(connection)
    if found is None:
        return None
    is_ours = (
        found.status is OperationStatus.PENDING
        and found.lease_owner == context.lease_owner
        and found.lease_version == lease.version
        and found.request_fingerprint_hash == request.payload.request_fingerprint_hash
    )
    if is_ours and found.frozen is not None:
        return Claimed(request_of(found, found.frozen), lease)
    return answer_existing(found, request, now)
