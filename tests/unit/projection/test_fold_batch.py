"""A batch against the rows as they were read: fences, doubts, and events that leave no trace."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.projection.builders import (
    CUSTOMER,
    PRICES,
    T0,
    after,
    entity,
    event,
    subscription,
)

from billing_common.contracts.stripe_event_headers import StripeEventHeaders
from projection.decisions.event import (
    Applied,
    Family,
    ObjectRef,
    RefusalCode,
    Refused,
    StripeEvent,
    Truth,
)
from projection.handlers.folding import fold_batch
from projection.handlers.gathering import Gathered
from projection.handlers.receive import Received

REF = ObjectRef(Family.SUBSCRIPTION, "sub_1")


def received(one: StripeEvent, offset: int = 0) -> Received:
    headers = StripeEventHeaders(one.event_id, one.type, 1, None, False, T0)
    return Received(
        offset=offset,
        headers=headers,
        payload=b"",
        account=None,
        object_id=one.object.id,
        object_type=None,
        customer_id=CUSTOMER,
        event=one,
    )


def gathered(row_version: int) -> Gathered:
    """The subscription is stored, past due, as of second 5."""
    state = after(entity(), event(subscription("past_due"), 5, "evt_m"))
    row = replace(state.subscriptions["sub_1"], id=1, row_version=row_version)
    return Gathered({CUSTOMER: replace(state, subscriptions={"sub_1": row}, changes=())}, PRICES)


TIE = received(event(subscription("paused"), 5, "evt_t"))


@pytest.mark.requirement("EVT-07")
def test_a_doubt_is_fetched_under_the_version_that_was_read() -> None:
    found = fold_batch([TIE], gathered(3), truths={}, unavailable=set())
    assert found.fences == {REF: 3}


@pytest.mark.requirement("EVT-07")
def test_an_answer_from_before_another_write_is_asked_for_again() -> None:
    stale = {REF: Truth(subscription("active"), 2)}
    found = fold_batch([TIE], gathered(3), truths=stale, unavailable=set())
    assert found.fences == {REF: 3}
    assert found.states[CUSTOMER].subscriptions["sub_1"].status == "past_due"


@pytest.mark.requirement("EVT-07")
def test_an_answer_under_the_present_version_wins() -> None:
    truths = {REF: Truth(subscription("active"), 3)}
    found = fold_batch([TIE], gathered(3), truths=truths, unavailable=set())
    assert found.fences == {}
    assert found.states[CUSTOMER].subscriptions["sub_1"].status == "active"


def test_without_an_answer_the_event_in_doubt_fails_alone_and_leaves_no_trace() -> None:
    newer = received(event(subscription("unpaid"), 6, "evt_n"), 1)
    found = fold_batch([TIE, newer], gathered(3), truths={}, unavailable={REF})
    (_, first), (_, second) = found.outcomes
    assert isinstance(first, Refused)
    assert first.code is RefusalCode.TRUTH_UNAVAILABLE
    assert isinstance(second, Applied)
    assert found.states[CUSTOMER].subscriptions["sub_1"].status == "unpaid"
    assert [change.provider_event_id for change in found.states[CUSTOMER].changes] == ["evt_n"]
