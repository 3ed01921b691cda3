"""The provider call, outside any transaction: send the frozen request, and trust only the truth.

An answer that the provider repeats from memory may be out of date, so the object is retrieved
again. A stored 5xx says nothing, so the objects of the time are listed and matched.
"""

from __future__ import annotations

from typing import TypeVar

import structlog

from billing_common.domain.provider_outcome import Finding, ProviderFailure, judge
from billing_common.observability.metrics import guardrail
from checkout.decisions.recovery import created_window
from checkout.handlers.context import CheckoutContext, HeldLease
from checkout.handlers.provider_steps import (
    Found,
    NothingThere,
    ProviderRequest,
    ProviderSteps,
    ProviderThing,
    Rejected,
    StoredError,
    Unknown,
    Window,
)

log = structlog.get_logger()
T = TypeVar("T", bound=ProviderThing)


async def create(
    context: CheckoutContext,
    steps: ProviderSteps[T],
    request: ProviderRequest,
    lease: HeldLease,
    *,
    is_first_call: bool,
) -> Found[T] | Rejected | Unknown:
    """Send the frozen request under its key, once."""
    if not context.has_time_for_a_call(lease):
        return Unknown("lease_too_short")
    answer = await steps.create(context, request, lease)
    if not isinstance(answer, ProviderFailure):
        if answer.is_replayed and steps.retrieve is not None:
            return await retrieve(context, steps, request, answer.value.id, lease)
        return _checked(steps, request, answer.value)
    finding = judge(answer)
    is_rejected = finding is Finding.REFUSED or (
        # Of this call only: an earlier one may have passed.
        finding is Finding.REFUSED_AT_THE_DOOR and is_first_call
    )
    if is_rejected:
        guardrail("checkout_provider_error")
        return Rejected(answer)
    if finding is Finding.STORED_ERROR:
        found = await look(context, steps, request, lease)
        return StoredError("stored_error") if isinstance(found, NothingThere) else found
    if finding is Finding.KEY_REUSED:
        guardrail("checkout_provider_key_reused")  # our bug: one key, two requests
    return _unknown(finding.value, answer)


async def retrieve(
    context: CheckoutContext,
    steps: ProviderSteps[T],
    request: ProviderRequest,
    object_id: str,
    lease: HeldLease,
) -> Found[T] | Rejected | Unknown:
    """The object as it is now; Rejected when the provider does not know it."""
    if steps.retrieve is None or not context.has_time_for_a_call(lease):
        return Unknown("lease_too_short")
    answer = await steps.retrieve(context, object_id)
    if isinstance(answer, ProviderFailure):
        if answer.http_status == 404 and judge(answer) is Finding.REFUSED:
            return Rejected(answer)
        return _unknown("retrieve_failed", answer)
    return _checked(steps, request, answer.value)


async def look(
    context: CheckoutContext, steps: ProviderSteps[T], request: ProviderRequest, lease: HeldLease
) -> Found[T] | Unknown:
    """Never by Search, which lags. Finding nothing proves nothing: the call may be under way."""
    if steps.look is None:
        return NothingThere("cannot_be_listed")
    if not context.has_time_for_a_call(lease):
        return Unknown("lease_too_short")
    answer = await steps.look(context, request.frozen, Window(*created_window(request.frozen)))
    if isinstance(answer, ProviderFailure):
        return _unknown("list_failed", answer)
    ours = sorted((one for one in answer.value if steps.is_ours(request, one)), key=steps.rank)
    if not ours:
        guardrail("checkout_provider_outcome_unknown")
        return NothingThere("nothing_listed")
    return Found(ours[0], loose=tuple(ours[1:]))


def _checked(steps: ProviderSteps[T], request: ProviderRequest, value: T) -> Found[T] | Unknown:
    if steps.is_ours(request, value):
        return Found(value)
    guardrail("checkout_session_correlation_mismatch")
    log.error(
        "checkout.correlation_mismatch",
        operation_key=request.operation_key,
        provider_object_id=value.id,
    )
    return Unknown("correlation_mismatch")


def _unknown(reason: str, failure: ProviderFailure) -> Unknown:
    guardrail("checkout_provider_outcome_unknown")
    log.warning(
        "checkout.provider_outcome_unknown",
        reason=reason,
        http_status=failure.http_status,
        error_type=failure.error_type,
        code=failure.error_code,
    )
    return Unknown(reason)
