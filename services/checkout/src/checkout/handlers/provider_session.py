"""The provider call, outside any transaction: send the frozen request, and trust only the truth.

An answer that the provider repeats from memory may be out of date, so the session is retrieved
again. A repeated 5xx says nothing, so the customer's sessions are listed and matched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import structlog

from billing_common.domain.idempotency import FrozenRequest
from billing_common.domain.provider_objects import ProviderSession, ProviderSessionStatus
from billing_common.domain.provider_outcome import Certainty, ProviderFailure, classify
from billing_common.observability.metrics import guardrail
from checkout.decisions.recovery import created_window
from checkout.handlers.context import CheckoutContext, HeldLease

log = structlog.get_logger()

# These say that *this* call was refused at the door; an earlier one may have passed.
_REFUSED_AT_THE_DOOR: Final = frozenset({401, 403})
_PREFERENCE: Final = {
    ProviderSessionStatus.COMPLETE: 0,
    ProviderSessionStatus.OPEN: 1,
    ProviderSessionStatus.EXPIRED: 2,
}


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What is sent, and what the answer must carry to be ours."""

    billable_entity_id: int
    operation_key: str
    provider_idempotency_key: str
    frozen: FrozenRequest


@dataclass(frozen=True, slots=True)
class Found:
    """The session as it is now. `loose`: others of the same operation, payable by nobody."""

    session: ProviderSession
    loose: tuple[ProviderSession, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """It was not executed and never will be."""

    failure: ProviderFailure


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been executed. The operation stays pending."""

    reason: str


async def create_session(
    context: CheckoutContext, request: SessionRequest, lease: HeldLease, *, is_first_call: bool
) -> Found | Rejected | Unknown:
    """Send the frozen request under its key, once."""
    if not context.has_time_for_a_call(lease):
        return Unknown("lease_too_short")
    answer = await context.provider.create_checkout_session(
        request.frozen.params_json, idempotency_key=request.provider_idempotency_key
    )
    if isinstance(answer, ProviderFailure):
        return await _after_failure(context, request, answer, lease, is_first_call=is_first_call)
    if answer.is_replayed:
        return await retrieve_session(context, request, answer.value.id, lease)
    return _checked(request, answer.value)


async def retrieve_session(
    context: CheckoutContext, request: SessionRequest, session_id: str, lease: HeldLease
) -> Found | Rejected | Unknown:
    """The session as it is now; Rejected when the provider does not know it."""
    if not context.has_time_for_a_call(lease):
        return Unknown("lease_too_short")
    answer = await context.provider.retrieve_checkout_session(session_id)
    if isinstance(answer, ProviderFailure):
        if answer.http_status == 404 and classify(answer) is Certainty.REJECTION:
            return Rejected(answer)
        return _unknown("retrieve_failed", answer)
    return _checked(request, answer.value)


async def _after_failure(
    context: CheckoutContext,
    request: SessionRequest,
    failure: ProviderFailure,
    lease: HeldLease,
    *,
    is_first_call: bool,
) -> Found | Rejected | Unknown:
    if classify(failure) is Certainty.REJECTION:
        if not is_first_call and failure.http_status in _REFUSED_AT_THE_DOOR:
            return _unknown("refused_at_the_door", failure)
        guardrail("checkout_provider_error")
        return Rejected(failure)
    if failure.error_type == "idempotency_error":
        guardrail("checkout_provider_key_reused")  # our bug: one key, two requests
    if failure.is_replayed and failure.http_status is not None and failure.http_status >= 500:
        return await _find_by_listing(context, request, lease)
    return _unknown("no_certain_answer", failure)


async def _find_by_listing(
    context: CheckoutContext, request: SessionRequest, lease: HeldLease
) -> Found | Unknown:
    """Never by Search, which lags. Finding nothing proves nothing: the call may be under way."""
    if not context.has_time_for_a_call(lease):
        return Unknown("lease_too_short")
    created_from, created_until = created_window(request.frozen)
    answer = await context.provider.list_checkout_sessions(
        customer_id=json.loads(request.frozen.params_json)["customer"],
        created_from=created_from,
        created_until=created_until,
    )
    if isinstance(answer, ProviderFailure):
        return _unknown("list_failed", answer)
    ours = sorted(
        (session for session in answer.value if _is_ours(request, session)),
        key=lambda session: (_PREFERENCE[session.status], session.created_at, session.id),
    )
    if not ours:
        guardrail("checkout_provider_outcome_unknown")
        return Unknown("stored_server_error")
    return Found(ours[0], loose=tuple(ours[1:]))


def _checked(request: SessionRequest, session: ProviderSession) -> Found | Unknown:
    if _is_ours(request, session):
        return Found(session)
    guardrail("checkout_session_correlation_mismatch")
    log.error(
        "checkout.session_correlation_mismatch",
        operation_key=request.operation_key,
        provider_session_id=session.id,
    )
    return Unknown("correlation_mismatch")


def _is_ours(request: SessionRequest, session: ProviderSession) -> bool:
    return (
        session.operation_key == request.operation_key
        and session.billable_entity_id == request.billable_entity_id
    )


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
