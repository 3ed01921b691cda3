"""Who may open a checkout: lapsed, blocked, refused, admitted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from tests.unit.checkout.builders import NOW, THEIRS, operation, session, subscription

from billing_common.domain.checkout_session import (
    BLOCKING,
    EXPIRY_GRACE,
    SessionFlow,
    SessionStatus,
)
from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FAILURES, FailureCode
from billing_common.domain.idempotency import OperationStatus
from billing_common.domain.subscription import CURRENT_CAPABLE, SubscriptionStatus
from checkout.decisions.admission import (
    Admission,
    Admitted,
    Blocked,
    Refused,
    decide_admission,
    end_lapsed,
)
from checkout.decisions.answers import stored_answer
from checkout.decisions.claim import (
    InProgress,
    KeyConflict,
    LeaseEnded,
    Replay,
    decide_existing,
)
from checkout.decisions.pricing import decide_price

_S = SessionStatus


@dataclass(frozen=True)
class Price:
    provider_price_id: str = "price_1"
    currency: str = "usd"


def admit(*, subscriptions=(), sessions=(), prices=(Price(),)) -> Admission:
    return decide_admission(
        subscriptions=subscriptions, sessions=sessions, prices=prices, currency="usd", now=NOW
    )


def test_a_free_entity_is_admitted() -> None:
    assert admit() == Admission((), Admitted("price_1"))


@pytest.mark.requirement("CHK-03")
@pytest.mark.parametrize("status", _S)
@pytest.mark.parametrize("seconds", [-91, -90, -89, -1, 0, 1])
def test_a_row_blocks_or_has_lapsed_never_both(status: SessionStatus, seconds: int) -> None:
    row = session(status, operation_key=THEIRS, expires_at=NOW + timedelta(seconds=seconds))

    admission = admit(sessions=(row,))

    is_blocked = isinstance(admission.verdict, Blocked)
    assert not (is_blocked and admission.ended)
    assert (is_blocked or bool(admission.ended)) == (status in BLOCKING)
    if status is _S.OPEN:
        assert is_blocked == (seconds > -EXPIRY_GRACE.total_seconds())
    if status is _S.RECOVERY_VERIFICATION_PENDING:
        assert is_blocked == (seconds > 0)
    if isinstance(admission.verdict, Blocked):
        assert FAILURES[admission.verdict.code].is_transient, "a block must not burn the key"
    for ended in admission.ended:
        assert ended.status not in BLOCKING
        assert ended.checkout_url is None


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
    verdict = admit(sessions=(session(_S.OPEN, operation_key=THEIRS, **changes),)).verdict

    assert isinstance(verdict, Blocked)
    assert ("checkoutUrl" in verdict.details) == shows_url
    assert verdict.details["operationKey"] == THEIRS
    assert "cs_1" not in str(verdict.details)


def test_a_one_off_session_neither_blocks_nor_is_blocked() -> None:
    row = session(_S.OPEN, flow=SessionFlow.ONE_OFF)

    assert isinstance(admit(sessions=(row,)).verdict, Admitted)


@pytest.mark.requirement("SCOPE-03")
@pytest.mark.parametrize("status", SubscriptionStatus)
@pytest.mark.parametrize("is_current", [True, False])
def test_any_live_subscription_refuses(status: SubscriptionStatus, *, is_current: bool) -> None:
    verdict = admit(subscriptions=(subscription(status, is_current=is_current),)).verdict

    expected = Refused(FailureCode.SUBSCRIPTION_EXISTS_USE_PORTAL)
    assert (verdict == expected) == (status in CURRENT_CAPABLE)


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (None, FailureCode.CHECKOUT_PLAN_NOT_FOUND),
        ((), FailureCode.CHECKOUT_CONFIGURATION_INVALID),
        ((Price(), Price("price_2")), FailureCode.CHECKOUT_CONFIGURATION_INVALID),
        ((Price(currency="eur"),), FailureCode.CHECKOUT_CONFIGURATION_INVALID),
        ((Price(currency="USD"),), FailureCode.CHECKOUT_CONFIGURATION_INVALID),
        ((Price(provider_price_id=""),), FailureCode.CHECKOUT_CONFIGURATION_INVALID),
        ((Price(),), Price()),
    ],
)
@pytest.mark.requirement("SCOPE-08")
def test_one_price_in_our_currency_or_none(prices, expected) -> None:
    assert decide_price(prices, currency="usd") == expected


def test_only_what_can_lapse_is_ended() -> None:
    with pytest.raises(BugError):
        end_lapsed(session(_S.COMPLETED_RECONCILED))


@pytest.mark.requirement("IDEM-04")
@pytest.mark.requirement("IDEM-05")
@pytest.mark.parametrize("status", OperationStatus)
def test_another_fingerprint_learns_nothing(status: OperationStatus) -> None:
    row = operation(status=status)

    assert decide_existing(row, fingerprint_hash="0" * 64, now=NOW) == KeyConflict()


@pytest.mark.parametrize("status", OperationStatus)
@pytest.mark.parametrize("seconds", [None, -1, 0, 1, 3600])
def test_an_existing_row_is_replayed_awaited_or_recovered(
    status: OperationStatus, seconds: int | None
) -> None:
    ends = None if seconds is None else NOW + timedelta(seconds=seconds)
    row = operation(status=status, lease_expires_at=ends)

    decision = decide_existing(row, fingerprint_hash="f" * 64, now=NOW)

    if status is not OperationStatus.PENDING:
        assert decision == Replay(row)
    elif seconds is None or seconds <= 0:
        assert decision == LeaseEnded(row.id)
    else:
        assert isinstance(decision, InProgress)
        assert 1 <= decision.retry_after_seconds <= 5


def test_a_finished_row_without_an_answer_is_a_bug() -> None:
    with pytest.raises(BugError):
        stored_answer(operation(status=OperationStatus.SUCCEEDED))
