"""One event against one state: whose it is, which comes last, and what it may change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.projection.builders import (
    KEY,
    after,
    entity,
    event,
    folded,
    invoice,
    session,
    subscription,
)

from billing_common.domain.checkout_session import SessionFlow, SessionStatus
from billing_common.domain.idempotency import OperationStatus
from billing_common.domain.provider_objects import ProviderInvoice, ProviderSubscription
from projection.decisions.event import (
    Applied,
    Ignored,
    IgnoreReason,
    NeedsTruth,
    RefusalCode,
    Refused,
    StripeEvent,
)
from projection.decisions.sessions import reconcile_sessions
from projection.decisions.state import EntityState

Source = ProviderSubscription | ProviderInvoice


def status_of(state: EntityState, source: Source) -> str:
    rows = state.subscriptions if isinstance(source, ProviderSubscription) else state.invoices
    return str(rows[source.id].status)


@pytest.mark.requirement("EVT-07")
@pytest.mark.parametrize(
    ("before", "incoming"),
    [(subscription("active"), subscription("past_due")), (invoice("paid"), invoice("open"))],
    ids=["subscription", "invoice"],
)
class TestOrder:
    def test_newer_is_applied(self, before: Source, incoming: Source) -> None:
        state = after(entity(), event(before, 5, "evt_m"), event(incoming, 6, "evt_a"))
        assert status_of(state, before) == incoming.status

    def test_older_changes_nothing(self, before: Source, incoming: Source) -> None:
        state = after(entity(), event(before, 5, "evt_m"), event(incoming, 4, "evt_z"))
        assert status_of(state, before) == before.status

    def test_the_same_event_changes_nothing(self, before: Source, incoming: Source) -> None:
        state = after(entity(), event(before, 5, "evt_m"))
        outcome = folded(state, event(incoming, 5, "evt_m"))
        assert outcome == Ignored(IgnoreReason.ALREADY_FOLDED)

    @pytest.mark.parametrize("other_id", ["evt_a", "evt_z"])
    def test_a_tie_asks_and_the_answer_wins_over_both(
        self, before: Source, incoming: Source, other_id: str
    ) -> None:
        state = after(entity(), event(before, 5, "evt_m"))
        tie = event(incoming, 5, other_id)
        assert isinstance(folded(state, tie), NeedsTruth)
        truth = replace(before, status=before.status)
        outcome = folded(state, tie, truth)
        assert isinstance(outcome, Applied)
        assert status_of(outcome.state, before) == before.status

    def test_an_answer_about_another_customer_is_refused(
        self, before: Source, incoming: Source
    ) -> None:
        state = after(entity(), event(before, 5, "evt_m"))
        outcome = folded(
            state, event(incoming, 5, "evt_a"), replace(before, customer_id="cus_other")
        )
        assert isinstance(outcome, Refused)
        assert outcome.code is RefusalCode.CORRELATION_MISMATCH


@pytest.mark.requirement("EVT-06")
@pytest.mark.parametrize(
    ("claimed", "owner", "expected"),
    [
        (None, None, IgnoreReason.NOT_OURS),
        (1, None, RefusalCode.CUSTOMER_UNKNOWN),
        (2, entity(), RefusalCode.CORRELATION_MISMATCH),
        (1, entity(), None),
        # Metadata says nothing: the customer's owner is enough.
        (None, entity(), None),
    ],
)
def test_the_customers_owner_decides_and_metadata_must_agree(
    claimed: int | None, owner: EntityState | None, expected: IgnoreReason | RefusalCode | None
) -> None:
    outcome = folded(owner, event(subscription(billable_entity_id=claimed)))
    match outcome:
        case Ignored(reason):
            assert reason is expected
        case Refused(code):
            assert code is expected
        case _:
            assert isinstance(outcome, Applied)
            assert expected is None


@pytest.mark.requirement("EVT-10")
def test_an_ended_subscription_never_comes_back() -> None:
    state = after(entity(), event(subscription("canceled"), 5, "evt_m"))
    later = event(subscription("active"), 6, "evt_z")
    assert folded(state, later) == Ignored(IgnoreReason.TERMINAL)


def test_a_subscription_whose_price_is_not_in_the_catalogue_is_refused() -> None:
    item = replace(subscription().items[0], provider_price_id="price_other")
    outcome = folded(entity(), event(subscription(items=(item,))))
    assert isinstance(outcome, Refused)
    assert outcome.code is RefusalCode.PRICE_UNKNOWN


@pytest.mark.requirement("EVT-08")
def test_a_session_finishes_its_operation_and_fences_its_worker() -> None:
    state = after(entity(), event(session()))
    operation = state.operations[KEY]
    assert operation.status is OperationStatus.SUCCEEDED
    assert (operation.lease_version, operation.provider_session_id) == (2, "cs_1")
    expired = after(entity(), event(session("expired")))
    assert expired.operations[KEY].status is OperationStatus.EXPIRED
    assert expired.sessions[KEY].status is SessionStatus.EXPIRED


def test_a_session_bound_to_another_id_is_refused_when_paid_and_ignored_when_over() -> None:
    state = after(entity(), event(session()))
    paid = folded(state, event(session(id="cs_2"), 1, "evt_b"))
    assert isinstance(paid, Refused)
    assert folded(state, event(session("expired", id="cs_2"), 1, "evt_b")) == Ignored(
        IgnoreReason.NOT_BOUND
    )


@pytest.mark.requirement("EVT-08")
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_session_and_subscription_meet_in_either_order(order: tuple[int, int]) -> None:
    events: tuple[StripeEvent, ...] = (event(session()), event(subscription(), 0, "evt_b"))
    state = after(entity(), *(events[index] for index in order))
    assert state.sessions[KEY].status is SessionStatus.COMPLETED_RECONCILED
    assert reconcile_sessions(state) == state


def test_a_one_off_session_waits_for_no_subscription() -> None:
    state = after(entity(), event(session(mode="payment", subscription_id=None)))
    assert state.sessions[KEY].flow is SessionFlow.ONE_OFF
    assert state.sessions[KEY].status is SessionStatus.COMPLETED_RECONCILED


def test_a_paid_session_waits_for_its_own_subscription_only() -> None:
    state = after(entity(), event(session()), event(subscription(id="sub_2"), 0, "evt_b"))
    assert state.sessions[KEY].status is SessionStatus.COMPLETED_PENDING_SUBSCRIPTION
    unnamed = after(entity(), event(session(subscription_id=None)), event(subscription(), 1))
    assert unnamed.sessions[KEY].status is SessionStatus.COMPLETED_PENDING_SUBSCRIPTION
