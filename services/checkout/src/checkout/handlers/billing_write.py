"""A billing write from command to answer: customer, Tx A, provider, Tx B. The one frame for all.

Every step is durable before the next begins, so a process may die between any two of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from billing_common.contracts.commands import BillingWrite, Command
from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.provider_outcome import Certainty, ProviderFailure, classify
from checkout.decisions.answers import Answer, Asked, deadline_elapsed, refusal
from checkout.decisions.claim import LeaseEnded
from checkout.handlers.actions.registry import action_of_payload
from checkout.handlers.claim import Claimed, InDoubt, Outcome, claim
from checkout.handlers.context import CheckoutContext, Target, Unsettled
from checkout.handlers.customer import ensure_customer, find_customer
from checkout.handlers.existing import ClaimRequest
from checkout.handlers.key_series import send
from checkout.handlers.recovery import begin_recovery
from checkout.handlers.settlement import HeldOperation, settle
from checkout.handlers.verification import verify
from checkout.handlers.write_action import CustomerNeed

PROVIDER_RETRY_SECONDS: Final = 5


async def begin_write(
    context: CheckoutContext, command: Command, payload: BillingWrite
) -> Answer | Unsettled:
    """One effect at the provider, or why there is none; safe to call again.

    As far as the order of the entity's commands matters: who claims, and who is answered from
    what is stored. No slow call of another command is waited for, but for the first customer.
    """
    action = action_of_payload(payload)
    asked = Asked(command.operation_key, command.request_id)
    customer = await _customer(context, command, action.customer)
    if isinstance(customer, ProviderFailure):
        return _without_customer(customer, asked)
    if command.deadline_at <= context.utc_now():
        return deadline_elapsed(asked)
    request = ClaimRequest(action, command, payload, customer)
    return await _begin(context, request, await claim(context, request))


async def _begin(
    context: CheckoutContext, request: ClaimRequest, outcome: Outcome
) -> Answer | Unsettled:
    match outcome:
        case Answer():
            return outcome
        case LeaseEnded(row_id):
            return await begin_recovery(context, Target(request.entity_id, row_id), request.asked)
        case Claimed() | InDoubt():

            async def finish() -> Answer:
                return await _finish(context, request, outcome)

            return Unsettled(finish)


async def _finish(
    context: CheckoutContext, request: ClaimRequest, outcome: Claimed | InDoubt
) -> Answer:
    if isinstance(outcome, InDoubt):
        return await _ask_and_begin_again(context, request, outcome)
    target = Target(request.entity_id, outcome.request.row_id)
    steps, lease = request.action.steps, outcome.lease
    found = await send(context, steps, outcome.request, lease, is_first_call=True)
    return await settle(context, HeldOperation(request.action, target, lease, request.asked), found)


async def _ask_and_begin_again(
    context: CheckoutContext, request: ClaimRequest, doubt: InDoubt
) -> Answer:
    if request.evidence is not None:
        raise BugError("whoever has asked is not asked to ask again")
    deadline_at = request.command.deadline_at
    evidence = await verify(context, doubt.sessions, until=deadline_at)
    if deadline_at <= context.utc_now():
        return deadline_elapsed(request.asked)
    told = replace(request, evidence=evidence)
    begun = await _begin(context, told, await claim(context, told))
    return begun if isinstance(begun, Answer) else await begun.finish()


async def _customer(
    context: CheckoutContext, command: Command, need: CustomerNeed
) -> str | ProviderFailure | None:
    entity_id = command.billable_entity_id
    if need is CustomerNeed.KNOWN:
        return await find_customer(context, entity_id)
    return await ensure_customer(context, billable_entity_id=entity_id, until=command.deadline_at)


def _without_customer(failure: ProviderFailure, asked: Asked) -> Answer:
    """Nothing was claimed, so nothing is stored: the same key may be tried again."""
    if classify(failure) is Certainty.REJECTION:
        return refusal(FailureCode.CHECKOUT_PROVIDER_ERROR, asked)
    return refusal(
        FailureCode.SERVICE_UNAVAILABLE, asked, retry_after_seconds=PROVIDER_RETRY_SECONDS
    )
