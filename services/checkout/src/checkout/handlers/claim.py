"""Tx A: claim the key, end what has lapsed, check what blocks, freeze the provider request.

All or nothing, in the one lock order. A transient block takes the claim back, so the same key may
be tried again; the lapsed sessions stay ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing_common.domain.checkout_session import CheckoutSession, SessionFlow
from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FAILURES, FailureCode
from billing_common.domain.idempotency import (
    Action,
    FrozenRequest,
    OperationStatus,
)
from billing_common.domain.operation_keys import provider_idempotency_key
from billing_common.storage.database_errors import CommitOutcomeUnknown
from billing_common.storage.entity_locks import (
    database_now,
    lock_checkout_sessions,
    lock_entities,
    lock_subscriptions,
)
from billing_common.storage.insert_once import Conflict
from billing_common.storage.transaction import WriteConnection
from checkout.decisions.admission import Admitted, Blocked, Refused, decide_admission
from checkout.decisions.answers import (
    Answer,
    refusal,
)
from checkout.decisions.claim import (
    LeaseEnded,
)
from checkout.decisions.frozen_request import CheckoutIntent, freeze
from checkout.handlers.context import CheckoutContext, EntityUnknown, HeldLease
from checkout.handlers.existing import ClaimRequest, answer_existing, answer_taken
from checkout.repository import catalogue, operations
from checkout.repository.sessions import save_session


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The operation is ours until the lease ends; its request is frozen and committed."""

    row_id: int
    operation_key: str
    provider_idempotency_key: str
    frozen: FrozenRequest
    lease: HeldLease


Outcome = Claimed | Answer | LeaseEnded


async def claim_checkout(context: CheckoutContext, request: ClaimRequest) -> Outcome:
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
    sessions = await lock_checkout_sessions(connection, entity)
    admission = decide_admission(
        subscriptions=subscriptions,
        sessions=sessions,
        prices=await catalogue.find_sellable_prices(
            connection, plan_code=request.payload.plan_code, provider=context.provider_name
        ),
        currency=context.currency,
        now=now,
    )
    match admission.verdict:
        case Blocked(code, details, retry_after_seconds):
            await operations.take_back_claim(connection)
            await _store_ended(connection, admission.ended, now)
            return refusal(
                code, request.asked, details=details, retry_after_seconds=retry_after_seconds
            )
        case Refused(code):
            await _store_ended(connection, admission.ended, now)
            return await _refuse(connection, request, row_id=claimed.id, code=code, now=now)
        case Admitted(provider_price_id):
            await _store_ended(connection, admission.ended, now)
            return await _freeze(
                connection,
                context,
                request,
                row_id=claimed.id,
                provider_price_id=provider_price_id,
                lease=lease,
                now=now,
            )


def _new_row(context: CheckoutContext, request: ClaimRequest, now: datetime) -> operations.Claim:
    command, payload = request.command, request.payload
    return operations.Claim(
        billable_entity_id=request.entity_id,
        action=Action.CHECKOUT,
        flow=SessionFlow.SUBSCRIPTION.value,
        client_idempotency_key=payload.client_idempotency_key,
        actor_user_id=command.actor.id if command.actor.kind == "user" else None,
        request_fingerprint_hash=payload.request_fingerprint_hash,
        normalized_request=payload.normalized_request,
        operation_key=command.operation_key,
        provider=context.provider_name,
        provider_idempotency_key=_provider_key(context, command.operation_key),
        lease_owner=context.lease_owner,
        lease_expires_at=now + timedelta(seconds=context.lease_seconds),
        now=now,
    )


def _provider_key(context: CheckoutContext, operation_key: str) -> str:
    return provider_idempotency_key(
        context.provider_key_secret,
        provider=context.provider_name,
        action=Action.CHECKOUT.value,
        operation_key=operation_key,
    )


async def _store_ended(
    connection: WriteConnection, ended: Sequence[CheckoutSession], now: datetime
) -> None:
    for session in ended:
        if not await save_session(connection, session, now=now):
            raise BugError(f"session row {session.id} moved under our lock")


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
    provider_price_id: str,
    lease: HeldLease,
    now: datetime,
) -> Claimed:
    frozen = freeze(
        CheckoutIntent(
            billable_entity_id=request.entity_id,
            idempotency_row_id=row_id,
            operation_key=request.command.operation_key,
            provider_customer_id=request.provider_customer_id,
            provider_price_id=provider_price_id,
            public_url=context.public_url,
            success_path=request.payload.success_path,
            cancel_path=request.payload.cancel_path,
        ),
        provenance=context.provider.provenance,
        now=now,
    )
    if not await operations.freeze_request(connection, row_id=row_id, frozen=frozen, now=now):
        raise BugError(f"operation row {row_id} was frozen before it was claimed")
    return Claimed(
        row_id=row_id,
        operation_key=request.command.operation_key,
        provider_idempotency_key=_provider_key(context, request.command.operation_key),
        frozen=frozen,
        lease=lease,
    )


async def _read_again(
    context: CheckoutContext, request: ClaimRequest, lease: HeldLease
) -> Outcome | None:
    """After a COMMIT whose answer was lost: what is stored decides, not what we hope."""
    async with context.database.read(name="checkout.tx_a_again") as connection:
        found = await operations.find_by_client_key(
            connection,
            billable_entity_id=request.entity_id,
            action=Action.CHECKOUT,
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
        return Claimed(
            row_id=found.id,
            operation_key=found.operation_key,
            provider_idempotency_key=found.provider_idempotency_key,
            frozen=found.frozen,
            lease=lease,
        )
    return answer_existing(found, request, now)
