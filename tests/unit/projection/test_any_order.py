"""Whatever order the log brings, and however often: the same state, as long as Stripe answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.projection.builders import (
    T0,
    after,
    at,
    entity,
    event,
    invoice,
    session,
    subscription,
)

from billing_common.domain.canonical_subscription import select_canonical
from billing_common.domain.provider_objects import ProviderInvoice, ProviderSubscription
from billing_common.domain.subscription import CURRENT_CAPABLE, TERMINAL, SubscriptionStatus
from projection.decisions.event import StripeEvent
from projection.decisions.sessions import reconcile_sessions
from projection.decisions.state import EntityState

LIVE = sorted(set(SubscriptionStatus) - TERMINAL)
History = list[StripeEvent]


@st.composite
def histories(draw: st.DrawFn) -> tuple[History, tuple[Any, ...]]:
    """What happened to one customer, oldest first, and the objects as they are in the end.

    Few seconds, so that ties abound; ids in no order, as Stripe's are.
    """
    ids = iter(draw(st.permutations([f"evt_{letter}" for letter in "abcdefghijklmnop"])))
    events: History = []
    world: list[Any] = []
    for number in range(draw(st.integers(1, 2))):
        steps = draw(st.lists(st.sampled_from(LIVE), min_size=1, max_size=4))
        statuses = [*steps, *draw(st.sampled_from([[], ["canceled"]]))]
        seconds = sorted(draw(st.lists(st.integers(0, 3), min_size=len(statuses), max_size=5)))
        for status, second in zip(statuses, seconds, strict=False):
            source = subscription(status, id=f"sub_{number}", created_at=at(-number))
            events.append(event(source, second, next(ids)))
        world.append(source)
    failures = draw(st.integers(0, 2))
    seconds = sorted(draw(st.lists(st.integers(0, 3), min_size=failures + 1, max_size=3)))
    for attempt, second in enumerate(seconds, start=1):
        bill = invoice(
            "paid" if attempt == len(seconds) else "open",
            # Paid by hand, Stripe does not count a new attempt.
            attempt_count=draw(st.integers(max(1, attempt - 1), attempt)),
        )
        events.append(event(bill, second, next(ids)))
    world.append(bill)
    events.append(event(session(subscription_id="sub_0"), draw(st.integers(0, 3)), next(ids)))
    return events, tuple(world)


def essence(state: EntityState) -> dict[str, Any]:
    """All that is stored. Of an ended subscription's mark only the second: a snapshot from before
    its end is ignored, so it does not enter the mark if the end is known already."""
    return {
        "subscriptions": {
            key: (
                row.status,
                row.is_current,
                row.plan_id,
                row.current_period_end,
                row.watermark.event_created_at if row.watermark else None,
                None if row.status in TERMINAL or not row.watermark else row.watermark.event_id,
            )
            for key, row in state.subscriptions.items()
        },
        "items": dict(state.items),
        "sessions": {key: (row.status, row.completed_at) for key, row in state.sessions.items()},
        "operations": {key: row.status for key, row in state.operations.items()},
        "invoices": dict(state.invoices),
        "payments": dict(state.payments),
    }


@pytest.mark.requirement("EVT-07")
@pytest.mark.requirement("EVT-08")
@given(histories(), st.data())
def test_any_permutation_with_repeats_folds_to_the_same_state(
    made: tuple[History, tuple[Any, ...]], data: st.DataObject
) -> None:
    events, world = made
    in_order = after(entity(), *events, world=world)
    repeats = data.draw(st.lists(st.sampled_from(events), max_size=4))
    shuffled = data.draw(st.permutations([*events, *repeats]))
    assert essence(after(entity(), *shuffled, world=world)) == essence(in_order)


@pytest.mark.requirement("EVT-07")
@given(histories(), st.data())
def test_the_end_is_what_the_provider_says(
    made: tuple[History, tuple[Any, ...]], data: st.DataObject
) -> None:
    events, world = made
    state = after(entity(), *data.draw(st.permutations(events)), world=world)
    for found in world:
        match found:
            case ProviderSubscription():
                assert state.subscriptions[found.id].status is found.status
            case ProviderInvoice():
                assert state.invoices[found.id].status == found.status


@pytest.mark.requirement("EVT-09")
@given(histories(), st.data())
def test_at_every_moment_exactly_the_canonical_subscription_is_current(
    made: tuple[History, tuple[Any, ...]], data: st.DataObject
) -> None:
    events, world = made
    state = entity()
    for one in data.draw(st.permutations(events)):
        state = after(state, one, world=world)
        rows = list(state.subscriptions.values())
        canonical = select_canonical(data.draw(st.permutations(rows))) if rows else None
        current = [row for row in rows if row.is_current]
        assert current == ([canonical] if canonical else [])
        assert all(row.status in CURRENT_CAPABLE for row in current)
        # Settled by the fold itself: nothing is left to reconcile.
        assert reconcile_sessions(state) == state


def test_a_late_failure_of_a_paid_attempt_leaves_it_as_it_is() -> None:
    paid, failed = event(invoice(), 1, "evt_a"), event(invoice("open"), 2, "evt_b")
    world = (invoice(),)
    one_way = after(entity(), paid, failed, world=world)
    assert one_way.payments == after(entity(), failed, paid, world=world).payments
    [payment] = one_way.payments.values()
    assert (payment.status, payment.amount_minor) == ("paid", 1900)
    assert payment.watermark.event_created_at > T0
