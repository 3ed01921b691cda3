"""A subscription checkout from command to answer: customer, Tx A, provider, Tx B.

Every step is durable before the next begins, so a process may die between any two of them.
"""

from __future__ import annotations

from typing import Final

from billing_common.contracts.commands import Command, StartSubscriptionCheckout
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import OperationEvent
from billing_common.domain.provider_outcome import Certainty, ProviderFailure, classify
from checkout.decisions.answers import (
    Answer,
    Asked,
    deadline_elapsed,
    in_progress,
    provider_reason,
    refusal,
)
from checkout.decisions.claim import LeaseEnded
from checkout.decisions.frozen_request import absolute_url
from checkout.handlers.claim import Claimed, claim_checkout
from checkout.handlers.context import CheckoutContext, Target
from checkout.handlers.customer import ensure_customer
from checkout.handlers.ending import EndRequest, end_operation
from checkout.handlers.existing import ClaimRequest
from checkout.handlers.finalise import Finalisation, finalise
from checkout.handlers.provider_session import (
    Found,
    Rejected,
    SessionRequest,
    Unknown,
    create_session,
)
from checkout.handlers.recovery import recover

PROVIDER_RETRY_SECONDS: Final = 5


async def start_subscription_checkout(
    context: CheckoutContext, command: Command, payload: StartSubscriptionCheckout
) -> Answer:
    """One payable session for the entity, or why there is none. Safe to call again."""
    asked = Asked(command.operation_key, command.request_id)
    for path in (payload.success_path, payload.cancel_path):
        absolute_url(context.public_url, path)
    customer = await ensure_customer(
        context,
        billable_entity_id=command.billable_entity_id,
        until=command.deadline_at,
    )
    if isinstance(customer, ProviderFailure):
        return _without_customer(customer, asked)
    if command.deadline_at <= context.utc_now():
        return deadline_elapsed(asked)
    outcome = await claim_checkout(context, ClaimRequest(command, payload, customer))
    match outcome:
        case Answer():
            return outcome
        case LeaseEnded(row_id):
            return await recover(context, Target(command.billable_entity_id, row_id), asked)
        case Claimed():
            return await _open_session(context, command.billable_entity_id, outcome, asked)


def _without_customer(failure: ProviderFailure, asked: Asked) -> Answer:
    """Nothing was claimed, so nothing is stored: the same key may be tried again."""
    if classify(failure) is Certainty.REJECTION:
        return refusal(FailureCode.CHECKOUT_PROVIDER_ERROR, asked)
    return refusal(
        FailureCode.SERVICE_UNAVAILABLE, asked, retry_after_seconds=PROVIDER_RETRY_SECONDS
    )


async def _open_session(
    context: CheckoutContext, billable_entity_id: int, claimed: Claimed, asked: Asked
) -> Answer:
    target = Target(billable_entity_id, claimed.row_id)
    request = SessionRequest(
        billable_entity_id=billable_entity_id,
        operation_key=claimed.operation_key,
        provider_idempotency_key=claimed.provider_idempotency_key,
        frozen=claimed.frozen,
    )
    outcome = await create_session(context, request, claimed.lease, is_first_call=True)
    match outcome:
        case Found():
            return await finalise(
                context, Finalisation(target, claimed.lease.version, outcome, asked)
            )
        case Rejected(failure):
            return await end_operation(
                context,
                EndRequest(
                    target=target,
                    lease_version=claimed.lease.version,
                    event=OperationEvent.REFUSED,
                    code=FailureCode.CHECKOUT_PROVIDER_ERROR,
                    reason=provider_reason(failure),
                    asked=asked,
                ),
            )
        case Unknown():
            return in_progress(asked)
