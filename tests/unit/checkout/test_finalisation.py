"""Tx B's decision over every combination of rows and provider truth."""

from __future__ import annotations

import json
from itertools import product

import pytest
from tests.unit.checkout.builders import (
    ASKED,
    OURS,
    THEIRS,
    found,
    operation,
    session,
    subscription,
)

from billing_common.domain.checkout_session import (
    BLOCKING,
    SESSION,
    CheckoutSession,
    SessionFlow,
    SessionStatus,
)
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import Operation, OperationEvent, OperationStatus
from billing_common.domain.outbox_job import EXPIRE_CHECKOUT_SESSION
from billing_common.domain.provider_objects import ProviderSession, ProviderSessionStatus
from billing_common.domain.subscription import CURRENT_CAPABLE, Subscription, SubscriptionStatus
from checkout.decisions.finalisation import Binding, CleanUp, Close, Standing, decide_standing
from checkout.decisions.session_binding import bind_session, expiries

_P, _S = ProviderSessionStatus, SessionStatus


def close(
    *,
    row: Operation | None = None,
    subscriptions: tuple[Subscription, ...] = (),
    sessions: tuple[CheckoutSession, ...] = (),
    at_provider: ProviderSession | None = None,
) -> Close:
    """What a worker that still has the lease does with the session that it found."""
    decision = bind_session(
        Binding(
            operation=row or operation(),
            subscriptions=subscriptions,
            sessions=sessions,
            found=at_provider or found(),
            asked=ASKED,
        )
    )
    assert decision.session is not None
    return decision


def expiry(*session_ids: str) -> tuple[CleanUp, ...]:
    return tuple(CleanUp(EXPIRE_CHECKOUT_SESSION, session_id) for session_id in session_ids)


@pytest.mark.requirement("IDEM-20")
@pytest.mark.parametrize("status", [s for s in OperationStatus if s is not OperationStatus.PENDING])
@pytest.mark.parametrize("lease_version", [1, 2])
def test_a_finished_row_is_never_flipped(status: OperationStatus, lease_version: int) -> None:
    mine = operation(status=status, lease_version=2)

    assert decide_standing(mine, lease_version=lease_version) is Standing.FINISHED


@pytest.mark.requirement("IDEM-10")
@pytest.mark.parametrize("held", [1, 3])
def test_another_lease_fences(held: int) -> None:
    assert decide_standing(operation(lease_version=2), lease_version=held) is Standing.FENCED
    assert decide_standing(operation(lease_version=held), lease_version=held) is Standing.OURS


@pytest.mark.parametrize("status", _P)
def test_only_an_open_session_can_be_expired(status: ProviderSessionStatus) -> None:
    assert expiries(found(status)) == (expiry("cs_1") if status is _P.OPEN else ())


@pytest.mark.parametrize(
    ("at_provider", "status", "event"),
    [
        (_P.OPEN, _S.OPEN, OperationEvent.SESSION_BOUND),
        (_P.COMPLETE, _S.COMPLETED_PENDING_SUBSCRIPTION, OperationEvent.SESSION_BOUND),
        (_P.EXPIRED, _S.EXPIRED, OperationEvent.WINDOW_ELAPSED),
    ],
)
def test_a_first_session_takes_the_providers_word(
    at_provider: ProviderSessionStatus, status: SessionStatus, event: OperationEvent
) -> None:
    decision = close(at_provider=found(at_provider))

    assert (decision.session.status, decision.event) == (status, event)
    assert decision.session.provider_checkout_session_id == decision.provider_object_id == "cs_1"
    assert (decision.session.checkout_url is not None) == (status is _S.OPEN)


@pytest.mark.requirement("SCOPE-10")
@pytest.mark.parametrize(("stored", "at_provider"), list(product(_S, _P)))
def test_a_stored_session_moves_only_as_its_table_says(
    stored: SessionStatus, at_provider: ProviderSessionStatus
) -> None:
    row = session(stored)

    decision = close(sessions=(row,), at_provider=found(at_provider))

    after = decision.session.status
    legal = {to for (state, _), to in SESSION.transitions.items() if state is stored}
    assert after is stored or after in legal
    if stored in SESSION.terminal:
        assert decision.session == row
    is_over = after in (_S.EXPIRED, _S.ABANDONED)
    assert (decision.event is OperationEvent.SESSION_BOUND) != is_over
    # A session that may still be paid although ours has ended is made payable by nobody.
    must_expire = at_provider is _P.OPEN and after is not _S.OPEN
    assert decision.clean_ups == (expiry("cs_1") if must_expire else ())
    shown = json.loads(decision.answer.body).get("checkoutSession", {}).get("checkoutUrl")
    assert (shown is not None) == (after is _S.OPEN and at_provider is _P.OPEN)


def test_a_session_is_bound_once() -> None:
    row = session(_S.OPEN, provider_checkout_session_id="cs_first", checkout_url="https://first")

    decision = close(sessions=(row,), at_provider=found(id="cs_second", url="https://second"))

    assert decision.session == row
    assert decision.provider_object_id == "cs_first"
    assert decision.clean_ups == expiry("cs_second")
    assert "https://second" not in decision.answer.body


def test_a_hold_of_its_own_is_promoted() -> None:
    hold = session(_S.RECOVERY_VERIFICATION_PENDING, provider_checkout_session_id=None)

    decision = close(sessions=(hold,))

    assert (decision.session.id, decision.session.status) == (hold.id, _S.OPEN)
    assert decision.session.provider_checkout_session_id == "cs_1"
    assert decision.session.checkout_url == found().url


@pytest.mark.requirement("CHK-05")
@pytest.mark.parametrize("status", SubscriptionStatus)
@pytest.mark.parametrize("at_provider", _P)
def test_a_foreign_subscription_wins_unless_it_has_ended(
    status: SubscriptionStatus, at_provider: ProviderSessionStatus
) -> None:
    decision = close(subscriptions=(subscription(status),), at_provider=found(at_provider))

    if status not in CURRENT_CAPABLE:
        assert decision.failure_code is not FailureCode.SUBSCRIPTION_EXISTS_USE_PORTAL
        return
    assert decision.failure_code is FailureCode.SUBSCRIPTION_EXISTS_USE_PORTAL
    assert decision.event is OperationEvent.REFUSED
    expected = {
        _P.OPEN: (_S.ABANDONED, expiry("cs_1")),
        _P.EXPIRED: (_S.EXPIRED, ()),
        # It was paid: it stays on the books, and projection sorts the two subscriptions out.
        _P.COMPLETE: (_S.COMPLETED_PENDING_SUBSCRIPTION, ()),
    }[at_provider]
    assert (decision.session.status, decision.clean_ups) == expected


@pytest.mark.requirement("IDEM-20")
@pytest.mark.parametrize(
    "ours",
    [
        subscription(SubscriptionStatus.ACTIVE, operation_key=OURS),
        subscription(
            SubscriptionStatus.ACTIVE, operation_key=None, provider_subscription_id="sub_1"
        ),
    ],
)
def test_our_own_subscription_is_no_obstacle(ours: Subscription) -> None:
    decision = close(subscriptions=(ours,), at_provider=found(_P.COMPLETE))

    assert decision.failure_code is None
    is_known = ours.provider_subscription_id == "sub_1"
    assert decision.session.status is (
        _S.COMPLETED_RECONCILED if is_known else _S.COMPLETED_PENDING_SUBSCRIPTION
    )


@pytest.mark.requirement("SCOPE-05")
@pytest.mark.parametrize("rival", sorted(BLOCKING))
@pytest.mark.parametrize("at_provider", _P)
def test_a_rival_session_keeps_the_blocking_key(
    rival: SessionStatus, at_provider: ProviderSessionStatus
) -> None:
    other = session(rival, id=9, operation_key=THEIRS, provider_checkout_session_id="cs_9")

    decision = close(sessions=(other,), at_provider=found(at_provider))

    assert decision.session.status not in BLOCKING
    assert decision.failure_code is (
        FailureCode.SUBSCRIPTION_EXISTS_USE_PORTAL
        if rival is _S.COMPLETED_PENDING_SUBSCRIPTION
        else FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED
    )
    assert decision.clean_ups == (expiry("cs_1") if at_provider is _P.OPEN else ())


@pytest.mark.requirement("CHK-08")
@pytest.mark.parametrize("at_provider", _P)
def test_a_one_off_session_minds_nobody_and_waits_for_no_subscription(
    at_provider: ProviderSessionStatus,
) -> None:
    rival = session(_S.OPEN, id=9, operation_key=THEIRS, provider_checkout_session_id="cs_9")

    decision = close(
        row=operation(flow="one_off"),
        subscriptions=(subscription(SubscriptionStatus.ACTIVE),),
        sessions=(rival,),
        at_provider=found(at_provider, mode="payment", subscription_id=None),
    )

    assert decision.session is not None
    assert decision.session.flow is SessionFlow.ONE_OFF
    assert decision.clean_ups == ()
    assert (decision.session.status, decision.failure_code) == {
        _P.OPEN: (_S.OPEN, None),
        _P.COMPLETE: (_S.COMPLETED_RECONCILED, None),
        _P.EXPIRED: (_S.EXPIRED, FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED),
    }[at_provider]
