"""Is the entity free? What our clock may end, what only the provider's word may, what blocks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.checkout.builders import NOW, THEIRS, found, session, subscription

from billing_common.domain.checkout_session import (
    BLOCKING,
    EXPIRY_GRACE,
    SESSION,
    CheckoutSession,
    SessionFlow,
    SessionStatus,
)
from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FAILURES, FailureCode
from billing_common.domain.provider_objects import ProviderSessionStatus
from billing_common.domain.subscription import Subscription, SubscriptionStatus
from checkout.decisions.blockade import Blockade, Evidence, decide_blockade, end_lapsed

_S, _P = SessionStatus, ProviderSessionStatus
OPEN, PAID, HOLD = _S.OPEN, _S.COMPLETED_PENDING_SUBSCRIPTION, _S.RECOVERY_VERIFICATION_PENDING


def decide(
    *rows: CheckoutSession,
    evidence: Mapping[str, Evidence] | None = None,
    subscriptions: tuple[Subscription, ...] = (),
) -> Blockade:
    return decide_blockade(rows, subscriptions=subscriptions, evidence=evidence, now=NOW)


def overdue(**changes: object) -> CheckoutSession:
    """Bound, its URL is out, and past its time by our clock."""
    return session(OPEN, operation_key=THEIRS, expires_at=NOW - EXPIRY_GRACE, **changes)


def hold(hours: int = 1) -> CheckoutSession:
    return session(
        HOLD,
        operation_key=THEIRS,
        expires_at=NOW + timedelta(hours=hours),
        provider_checkout_session_id=None,
    )


def says(status: ProviderSessionStatus, **changes: object) -> dict[str, Evidence]:
    return {THEIRS: Evidence(found(status, operation_key=THEIRS, **changes))}


def test_an_entity_without_sessions_is_free() -> None:
    assert decide() == Blockade((), (), None)


@pytest.mark.requirement("CHK-03")
@pytest.mark.requirement("SCOPE-05")
def test_a_bound_session_past_its_time_is_freed_only_by_the_providers_word() -> None:
    row = overdue()

    assert decide(row) == Blockade((), (row,), None), "first it is asked about"
    unknown = decide(row, evidence={})
    assert unknown.blocked is not None
    assert unknown.blocked.code is FailureCode.CHECKOUT_RECOVERY_VERIFICATION_PENDING
    assert unknown.moved == ()
    still_open = decide(row, evidence=says(_P.OPEN))
    assert (still_open.moved, still_open.blocked is None) == ((), False)
    (expired,) = decide(row, evidence=says(_P.EXPIRED)).moved
    assert (expired.status, expired.checkout_url) == (_S.EXPIRED, None)
    assert decide(row, evidence=says(_P.EXPIRED)).blocked is None
    (missing,) = decide(row, evidence={THEIRS: Evidence(None)}).moved
    assert missing.status is _S.ABANDONED


@pytest.mark.requirement("CHK-03")
def test_a_late_payment_keeps_blocking_until_its_subscription_is_known() -> None:
    paid = decide(overdue(), evidence=says(_P.COMPLETE))

    assert paid.blocked is not None
    assert paid.blocked.code is FailureCode.CHECKOUT_COMPLETION_PENDING
    (row,) = paid.moved
    assert (row.status, row.provider_subscription_id) == (PAID, "sub_1")

    ours = subscription(SubscriptionStatus.ACTIVE, provider_subscription_id="sub_1")
    (row,) = decide(overdue(), evidence=says(_P.COMPLETE), subscriptions=(ours,)).moved
    assert row.status is _S.COMPLETED_RECONCILED


def test_the_word_about_another_session_is_no_evidence() -> None:
    about_another = decide(overdue(), evidence=says(_P.EXPIRED, id="cs_other"))

    assert about_another.moved == ()
    assert about_another.blocked is not None


@pytest.mark.requirement("IDEM-13")
def test_a_hold_resolves_early_by_what_was_found_never_by_finding_nothing() -> None:
    row = hold()

    assert decide(row) == Blockade((), (row,), None)
    for nothing in ({}, {THEIRS: Evidence(None)}, says(_P.OPEN)):
        still = decide(row, evidence=nothing)
        assert still.moved == ()
        assert still.blocked is not None
        assert still.blocked.code is FailureCode.CHECKOUT_RECOVERY_VERIFICATION_PENDING
    (ended,) = decide(row, evidence=says(_P.EXPIRED)).moved
    assert (ended.status, ended.provider_checkout_session_id) == (_S.EXPIRED, "cs_1")
    (paid,) = decide(row, evidence=says(_P.COMPLETE)).moved
    assert paid.status is PAID


@pytest.mark.requirement("IDEM-13")
def test_a_hold_lapses_at_its_horizon() -> None:
    (ended,) = decide(hold(hours=0)).moved

    assert ended.status is _S.ABANDONED
    assert decide(hold(hours=0)).blocked is None


def test_an_open_row_whose_url_never_left_lapses_by_our_clock() -> None:
    row = overdue(provider_checkout_session_id=None, checkout_url=None)

    (ended,) = decide(row).moved

    assert ended.status is _S.EXPIRED
    assert decide(row).doubts == ()


rows = st.builds(
    session,
    st.sampled_from(list(_S)),
    operation_key=st.just(THEIRS),
    flow=st.sampled_from(list(SessionFlow)),
    provider_checkout_session_id=st.sampled_from([None, "cs_1"]),
    expires_at=st.none() | st.integers(-200, 200).map(lambda s: NOW + timedelta(seconds=s)),
)
evidences = st.none() | st.sampled_from([{}, {THEIRS: Evidence(None)}, *map(says, _P)])


@pytest.mark.requirement("CHK-03")
@given(row=rows, evidence=evidences)
def test_the_decision_is_total_and_never_frees_what_may_be_paid(
    row: CheckoutSession, evidence: dict[str, Evidence] | None
) -> None:
    blockade = decide(row, evidence=evidence)

    after = blockade.moved[0] if blockade.moved else row
    is_free = blockade.blocked is None and not blockade.doubts
    if row.flow is SessionFlow.ONE_OFF:
        assert is_free
        assert blockade.moved == ()
        return
    assert not (blockade.blocked and blockade.doubts)
    assert is_free == (after.status not in BLOCKING)
    if after.status is not row.status:
        assert after.status in SESSION.transitions.values()
        assert row.status in BLOCKING
        assert after.checkout_url is None
    was_payable = row.status is OPEN and row.provider_checkout_session_id is not None
    if was_payable and is_free:
        assert evidence
        told = evidence[THEIRS].found
        assert told is None or told.status is _P.EXPIRED
    if evidence is not None:
        assert blockade.doubts == ()
    if blockade.blocked is not None:
        assert FAILURES[blockade.blocked.code].is_transient, "a block must not burn the key"


@pytest.mark.requirement("CHK-04")
@pytest.mark.parametrize(
    ("changes", "shows_url"),
    [
        ({}, True),
        ({"provider_checkout_session_id": None}, False),
        ({"checkout_url": None}, False),
        ({"expires_at": NOW}, False),
        ({"expires_at": None}, False),
    ],
)
def test_only_a_bound_payable_session_shows_its_url(changes, *, shows_url: bool) -> None:
    row = session(_S.OPEN, operation_key=THEIRS, **changes)
    blocked = decide(row, evidence={}).blocked

    assert blocked is not None
    assert ("checkoutUrl" in blocked.details) == shows_url
    assert blocked.details["operationKey"] == THEIRS
    assert "cs_1" not in str(blocked.details)


def test_a_one_off_session_does_not_block() -> None:
    assert decide(session(OPEN, flow=SessionFlow.ONE_OFF)) == Blockade((), (), None)


def test_only_what_can_lapse_is_ended() -> None:
    with pytest.raises(BugError):
        end_lapsed(session(_S.COMPLETED_RECONCILED))
