"""Subscription checkout: the exclusive one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from billing_common.contracts.commands import StartSubscriptionCheckout
from billing_common.domain.checkout_session import SessionFlow
from billing_common.domain.idempotency import Action
from billing_common.domain.provider_objects import ProviderSession
from billing_common.storage.transaction import WriteConnection
from checkout.decisions.checkout_params import SCHEMA_VERSION
from checkout.decisions.deadlines import session_deadlines
from checkout.decisions.pricing import PlanPrice
from checkout.decisions.session_binding import bind_session
from checkout.decisions.subscription_checkout import decide_subscription_checkout
from checkout.handlers.actions.checkout_sessions import CHECKOUT_SESSIONS
from checkout.handlers.context import CheckoutContext
from checkout.handlers.write_action import CustomerNeed, WriteAction
from checkout.repository.catalogue import find_sellable_prices


async def _gather(
    connection: WriteConnection, context: CheckoutContext, payload: StartSubscriptionCheckout
) -> Sequence[PlanPrice] | None:
    return await find_sellable_prices(
        connection, plan_code=payload.plan_code, provider=context.provider_name
    )


SUBSCRIPTION_CHECKOUT: Final[
    WriteAction[StartSubscriptionCheckout, Sequence[PlanPrice] | None, ProviderSession]
] = WriteAction(
    payload=StartSubscriptionCheckout,
    name=Action.CHECKOUT,
    flow=SessionFlow.SUBSCRIPTION,
    schema_version=SCHEMA_VERSION,
    customer=CustomerNeed.CREATED,
    is_exclusive=True,
    deadlines=session_deadlines,
    gather=_gather,
    decide=decide_subscription_checkout,
    steps=CHECKOUT_SESSIONS,
    bind=bind_session,
)
