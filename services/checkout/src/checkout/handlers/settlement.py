"""From a provider call to an answer: bind what was found, end what was rejected, else wait.

The same for the first worker and for recovery: only the lease version differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import OperationEvent
from checkout.decisions.answers import Answer, Asked, in_progress, provider_reason
from checkout.handlers.actions.registry import AnyAction
from checkout.handlers.context import CheckoutContext, HeldLease, Target
from checkout.handlers.ending import EndRequest, end_operation
from checkout.handlers.finalise import Finalisation, finalise
from checkout.handlers.provider_steps import Found, Rejected, Unknown


@dataclass(frozen=True, slots=True)
class HeldOperation:
    """An operation that is ours until the lease ends, and who asked."""

    action: AnyAction
    target: Target
    lease: HeldLease
    asked: Asked


async def settle(
    context: CheckoutContext,
    held: HeldOperation,
    outcome: Found[Any] | Rejected | Unknown,
    *,
    hold_until: datetime | None = None,
) -> Answer:
    """`hold_until`: what a rejection leaves behind when it does not prove that nothing exists."""
    match outcome:
        case Found():
            return await finalise(
                context,
                Finalisation(held.action, held.target, held.lease.version, outcome, held.asked),
            )
        case Rejected(failure):
            return await end_operation(
                context,
                EndRequest(
                    target=held.target,
                    lease_version=held.lease.version,
                    event=OperationEvent.REFUSED,
                    code=FailureCode.CHECKOUT_PROVIDER_ERROR,
                    reason=provider_reason(failure),
                    asked=held.asked,
                    hold_until=hold_until,
                ),
            )
        case Unknown():
            return in_progress(held.asked)
