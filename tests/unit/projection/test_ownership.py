"""Which event may move which rows, and what a plan switched in the portal does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.projection.states import (
    ENTITY,
    INVOICE,
    KEY,
    SESSION,
    after,
    event,
    outcome_of,
    subscription,
)

from billing_common.domain.checkout_session import SessionStatus
from billing_common.domain.provider_objects import ProviderObject
from billing_common.domain.subscription import SubscriptionStatus
from projection.decisions.event import ROUTES, Family, RefusalCode, Refused
from projection.decisions.state import EntityState

SOURCES: dict[Family, ProviderObject] = {
    Family.CHECKOUT_SESSION: SESSION,
    Family.SUBSCRIPTION: subscription(),
    Family.INVOICE: INVOICE,
}
# Family -> the parts of the state that its events own.
OWNED = {
    Family.CHECKOUT_SESSION: {"sessions", "operations"},
    Family.SUBSCRIPTION: {"subscriptions", "items"},
    Family.INVOICE: {"invoices", "payments"},
}
PARTS = {part for parts in OWNED.values() for part in parts}


def _moved(before: EntityState, state: EntityState) -> set[str]:
    return {part for part in PARTS if getattr(before, part) != getattr(state, part)}


@pytest.mark.requirement("SCOPE-09")
@pytest.mark.parametrize(("type_", "family"), ROUTES.items())
def test_an_event_moves_only_what_its_family_owns(type_: str, family: Family) -> None:
    moved = _moved(ENTITY, after(ENTITY, event(type_, SOURCES[family])))
    assert moved
    assert moved <= OWNED[family]


@pytest.mark.requirement("SCOPE-09")
def test_no_part_has_two_owners() -> None:
    assert sum(len(parts) for parts in OWNED.values()) == len(PARTS)
    assert set(ROUTES.values()) == set(OWNED)


@pytest.mark.requirement("SCOPE-09")
def test_a_subscription_event_settles_a_paid_session_and_nothing_else_of_it() -> None:
    """The one step across: a paid session is done when its subscription is in our tables."""
    paid = after(ENTITY, event("checkout.session.completed", SESSION))
    done = after(paid, event("customer.subscription.created", subscription(), seconds=1))
    waiting, settled = paid.sessions[KEY], done.sessions[KEY]
    assert waiting.status is SessionStatus.COMPLETED_PENDING_SUBSCRIPTION
    assert settled == replace(waiting, status=SessionStatus.COMPLETED_RECONCILED)


@pytest.mark.requirement("SCOPE-09")
def test_a_paid_invoice_does_not_activate_a_subscription() -> None:
    incomplete = subscription(SubscriptionStatus.INCOMPLETE)
    state = after(ENTITY, event("customer.subscription.created", incomplete))
    paid = after(state, event("invoice.paid", INVOICE, seconds=1))
    assert paid.subscriptions == state.subscriptions


@pytest.mark.requirement("EVT-10")
def test_a_plan_switched_in_the_portal_is_another_plan() -> None:
    state = after(ENTITY, event("customer.subscription.created", subscription()))
    assert state.subscriptions["sub_1"].plan_id == 1
    switched = subscription(price="price_pro")
    state = after(state, event("customer.subscription.updated", switched, seconds=5))
    assert state.subscriptions["sub_1"].plan_id == 2
    assert [item.provider_price_id for item in state.items["sub_1"]] == ["price_pro"]


@pytest.mark.requirement("EVT-10")
def test_a_price_that_nobody_sells_fails_closed_and_later_events_go_on() -> None:
    """The original was poisoned here: one unknown price, and nothing was projected any more."""
    state = after(ENTITY, event("customer.subscription.created", subscription()))
    unknown = subscription(price="price_of_somebody")
    outcome = outcome_of(state, event("customer.subscription.updated", unknown, seconds=5))
    assert isinstance(outcome, Refused)
    assert outcome.code is RefusalCode.PRICE_UNKNOWN
    back = subscription(price="price_pro")
    state = after(state, event("customer.subscription.updated", back, seconds=6))
    assert state.subscriptions["sub_1"].plan_id == 2
