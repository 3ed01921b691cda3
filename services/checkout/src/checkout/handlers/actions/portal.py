"""The portal: a visit that can be opened any number of times, and found again by nobody."""

from __future__ import annotations

from typing import Final

from billing_common.contracts.commands import OpenPortal
from billing_common.domain.idempotency import Action
from billing_common.domain.provider_objects import ProviderPortalSession
from billing_common.domain.provider_outcome import ProviderFailure
from billing_common.stripe_api.port import Answer
from checkout.decisions.deadlines import call_deadlines
from checkout.decisions.portal import SCHEMA_VERSION, bind_portal, decide_portal, is_for_customer
from checkout.handlers.context import CheckoutContext, HeldLease
from checkout.handlers.provider_steps import ProviderRequest, ProviderSteps
from checkout.handlers.write_action import CustomerNeed, WriteAction, gather_nothing


async def _create(
    context: CheckoutContext, request: ProviderRequest, _lease: HeldLease
) -> Answer[ProviderPortalSession] | ProviderFailure:
    return await context.provider.create_portal_session(
        request.frozen.params_json, idempotency_key=request.provider_idempotency_key
    )


PORTAL: Final[WriteAction[OpenPortal, None, ProviderPortalSession]] = WriteAction(
    payload=OpenPortal,
    name=Action.PORTAL,
    flow=None,
    schema_version=SCHEMA_VERSION,
    customer=CustomerNeed.KNOWN,
    is_exclusive=False,
    deadlines=call_deadlines,
    gather=gather_nothing,
    decide=decide_portal,
    steps=ProviderSteps(
        create=_create,
        retrieve=None,
        look=None,
        is_ours=lambda request, found: is_for_customer(request.frozen, found),
        rank=lambda found: (found.id,),
        clean_ups=lambda _found: (),
    ),
    bind=bind_portal,
)
