"""Asks the provider about sessions that only it can judge: outside any transaction, before Tx A.

A session that it still calls open is expired there first; the word that comes back is final. A
hold has no id: the customer's sessions of its request are listed and matched, never searched.
What could not be learned in time is simply not evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog

from billing_common.domain.checkout_session import CheckoutSession
from billing_common.domain.operation_keys import provider_idempotency_key
from billing_common.domain.provider_objects import ProviderSession, ProviderSessionStatus
from billing_common.domain.provider_outcome import Finding, ProviderFailure, judge
from billing_common.observability.metrics import guardrail
from checkout.decisions.blockade import Evidence
from checkout.decisions.recovery import created_window
from checkout.handlers.actions.checkout_sessions import CHECKOUT_SESSIONS
from checkout.handlers.context import CheckoutContext
from checkout.handlers.provider_steps import Window, request_of
from checkout.repository import operations

log = structlog.get_logger()


async def verify(
    context: CheckoutContext, doubts: Iterable[CheckoutSession], *, until: datetime
) -> dict[str, Evidence]:
    """Evidence by operation key, as far as there is any. No call is begun after `until`."""
    evidence: dict[str, Evidence] = {}
    for session in doubts:
        found = await _ask(context, session, until)
        log.info(
            "checkout.session_verified",
            operation_key=session.operation_key,
            outcome="unknown" if found is None else found.found and found.found.status.value,
        )
        if found is not None:
            evidence[session.operation_key] = found
    return evidence


async def _ask(
    context: CheckoutContext, session: CheckoutSession, until: datetime
) -> Evidence | None:
    if session.provider_checkout_session_id is None:
        return await _ask_by_listing(context, session, until)
    return await _ask_by_id(context, session.provider_checkout_session_id, until)


async def _ask_by_id(context: CheckoutContext, session_id: str, until: datetime) -> Evidence | None:
    if context.utc_now() >= until:
        return None
    answer = await context.provider.retrieve_checkout_session(session_id)
    if isinstance(answer, ProviderFailure):
        if answer.http_status == 404 and judge(answer) is Finding.REFUSED:
            guardrail("checkout_session_unknown_to_provider")
            return Evidence(None)
        return None
    return await _final(context, answer.value, until)


async def _ask_by_listing(
    context: CheckoutContext, session: CheckoutSession, until: datetime
) -> Evidence | None:
    if session.idempotency_row_id is None:
        return None
    async with context.database.read(name="checkout.find_held") as connection:
        operation = await operations.find_operation(connection, row_id=session.idempotency_row_id)
    look = CHECKOUT_SESSIONS.look
    if operation is None or operation.frozen is None or look is None or context.utc_now() >= until:
        return None
    answer = await look(context, operation.frozen, Window(*created_window(operation.frozen)))
    if isinstance(answer, ProviderFailure):
        return None
    request = request_of(operation, operation.frozen)
    ours = sorted(
        (one for one in answer.value if CHECKOUT_SESSIONS.is_ours(request, one)),
        key=CHECKOUT_SESSIONS.rank,
    )
    # A complete one counts first; to free the entity, every one of them must have ended.
    told = [await _final(context, one, until) for one in ours]
    known = [one for one in told if one is not None]
    paid = [one for one in known if _is_complete(one)]
    if paid:
        return paid[0]
    return known[0] if known and len(known) == len(told) else None


async def _final(
    context: CheckoutContext, session: ProviderSession, until: datetime
) -> Evidence | None:
    """Its last word: `complete` or `expired`. One that is open is expired now."""
    if session.status is not ProviderSessionStatus.OPEN:
        return Evidence(session)
    if context.utc_now() >= until:
        return None
    answer = await context.provider.expire_checkout_session(
        session.id, idempotency_key=_expiry_key(context, session.id)
    )
    if isinstance(answer, ProviderFailure):
        # Paid or expired in this moment, or no certain answer: only its state can tell.
        if context.utc_now() >= until:
            return None
        answer = await context.provider.retrieve_checkout_session(session.id)
    if isinstance(answer, ProviderFailure) or answer.value.status is ProviderSessionStatus.OPEN:
        return None
    return Evidence(answer.value)


def _is_complete(evidence: Evidence) -> bool:
    found = evidence.found
    return found is not None and found.status is ProviderSessionStatus.COMPLETE


def _expiry_key(context: CheckoutContext, session_id: str) -> str:
    return provider_idempotency_key(
        context.provider_key_secret,
        provider=context.provider_name,
        action="expire_checkout_session",
        operation_key=session_id,
    )
