"""One-off checkout: any number at once, beside whatever else the entity has."""

from __future__ import annotations

from typing import Final

from billing_common.contracts.commands import StartOneOffCheckout
from billing_common.domain.checkout_session import SessionFlow
from billing_common.domain.idempotency import Action
from billing_common.domain.provider_objects import ProviderSession
from checkout.decisions.checkout_params import SCHEMA_VERSION
from checkout.decisions.deadlines import session_deadlines
from checkout.decisions.one_off_checkout import decide_one_off_checkout
from checkout.decisions.session_binding import bind_session
from checkout.handlers.actions.checkout_sessions import CHECKOUT_SESSIONS
from checkout.handlers.write_action import CustomerNeed, WriteAction, gather_nothing

ONE_OFF_CHECKOUT: Final[WriteAction[StartOneOffCheckout, None, ProviderSession]] = WriteAction(
    payload=StartOneOffCheckout,
    name=Action.CHECKOUT,
    flow=SessionFlow.ONE_OFF,
    schema_version=SCHEMA_VERSION,
    customer=CustomerNeed.CREATED,
    is_exclusive=False,
    deadlines=session_deadlines,
    gather=gather_nothing,
    decide=decide_one_off_checkout,
    steps=CHECKOUT_SESSIONS,
    bind=bind_session,
)
