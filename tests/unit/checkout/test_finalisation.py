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

from billing_common.domain.checkout_session import BLOCKING, SESSION, CheckoutSession, SessionStatus
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import OperationEvent, OperationStatus
from billing_common.domain.provider_objects import ProviderSession, ProviderSessionStatus
from billing_common.domain.subscription import CURRENT_CAPABLE, Subscription, SubscriptionStatus
from checkout.decisions.finalisation import AnswerStored, Close, Fenced, decide_finalisation

_P, _S = ProviderSessionStatus, SessionStatus


def decide(
    *,
    row: object = None,
    lease_version: int = 1,
    subscriptions: tuple[Subscription, ...] = (),
    sessions: tuple[CheckoutSession, ...] = (),
    at_provider: ProviderSession | None = None,
) -> AnswerStored | Fenced | Close:
    return decide_finalisation(
        operation=row or operation(),  # type: ignore[arg-type]
        lease_version=lease_version,
        subscriptions=subscriptions,
        sessions=sessions,
        found=at_provider or found(),
        asked=ASKED,
    )


def close(**facts: object) -> Close:
    decision = decide(**facts)  # type: ignore[arg-type]
    assert isinstance(decision, Close)
    return decision


@pytest.mark.requirement("IDEM-20")
@pytest.mark.parametrize("status", [s for s in OperationStatus if s is not OperationStatus.PENDING])
@pytest.mark.parametrize("lease_version", [1, 2])
def test_a_finished_row_is_never_flipped(status: OperationStatus, lease_version: int) -> None:
    mine = operation(status=status, lease_version=2, provider_session_id="cs_1")
    assert decide(row=mine, lease_version=lease_version) == AnswerStored(())

    unbound = operation(status=status, lease_version=2, provider_session_id=None)
    assert decide(row=unbound, lease_version=lease_version) == AnswerStored(("cs_1",))
    assert decide(row=unbound, at_provider=found(_P.COMPLETE)) == AnswerStored(())


@pytest.mark.requirement("IDEM-10")
@pytest.mark.parametrize("held", [1, 3])
def test_another_lease_fences(held: int) -> None:
    assert decide(row=operation(lease_version=2), lease_version=held) == Fenced()


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
    assert decision.session.provider_checkout_session_id == decision.provider_session_id == "cs_1"
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
    assert decision.expire_session_ids == (("cs_1",) if must_expire else ())
    shown = json.loads(decision.answer.body).get("checkoutSession", {}).get("checkoutUrl")
    assert (shown is not None) == (after is _S.OPEN and at_provider is _P.OPEN)


def test_a_session_is_bound_once() -> None:
    row = session(_S.OPEN, provider_checkout_session_id="cs_first", checkout_url="https://first")

    decision = close(sessions=(row,), at_provider=found(id="cs_second", url="https://second"))

    assert decision.session == row
    assert decision.provider_session_id == "cs_first"
    assert decision.expire_session_ids == ("cs_second",)
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
        _P.OPEN: (_S.ABANDONED, ("cs_1",)),
        _P.EXPIRED: (_S.EXPIRED, ()),
        # It was paid: it stays on the books, and projection sorts the two subscriptions out.
        _P.COMPLETE: (_S.COMPLETED_PENDING_SUBSCRIPTION, ()),
    }[at_provider]
    assert (decision.session.status, decision.expire_session_ids) == expected


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
    assert decision.expire_session_ids == (("cs_1",) if at_provider is _P.OPEN else ())
