"""Checkout sessions at the provider: made, found by id, found by customer and time."""

from __future__ import annotations

import json
from typing import Any, Final

from billing_common.domain.idempotency import FrozenRequest
from billing_common.domain.provider_objects import ProviderSession, ProviderSessionStatus
from billing_common.domain.provider_outcome import ProviderFailure
from billing_common.stripe_api.port import Answer
from checkout.decisions.session_binding import expiries
from checkout.handlers.context import CheckoutContext, HeldLease
from checkout.handlers.provider_steps import ProviderRequest, ProviderSteps, Window

_PREFERENCE: Final = {
    ProviderSessionStatus.COMPLETE: 0,
    ProviderSessionStatus.OPEN: 1,
    ProviderSessionStatus.EXPIRED: 2,
}


async def _create(
    context: CheckoutContext, request: ProviderRequest, _lease: HeldLease
) -> Answer[ProviderSession] | ProviderFailure:
    return await context.provider.create_checkout_session(
        request.frozen.params_json, idempotency_key=request.provider_idempotency_key
    )


async def _retrieve(
    context: CheckoutContext, session_id: str
) -> Answer[ProviderSession] | ProviderFailure:
    return await context.provider.retrieve_checkout_session(session_id)


async def _look(
    context: CheckoutContext, frozen: FrozenRequest, window: Window
) -> Answer[tuple[ProviderSession, ...]] | ProviderFailure:
    return await context.provider.list_checkout_sessions(
        customer_id=json.loads(frozen.params_json)["customer"],
        created_from=window.created_from,
        created_until=window.created_until,
    )


def _is_ours(request: ProviderRequest, session: ProviderSession) -> bool:
    return (
        session.operation_key == request.operation_key
        and session.billable_entity_id == request.billable_entity_id
    )


def _rank(session: ProviderSession) -> tuple[Any, ...]:
    return (_PREFERENCE[session.status], session.created_at, session.id)


CHECKOUT_SESSIONS: Final[ProviderSteps[ProviderSession]] = ProviderSteps(
    create=_create,
    retrieve=_retrieve,
    look=_look,
    is_ours=_is_ours,
    rank=_rank,
    clean_ups=expiries,
)
