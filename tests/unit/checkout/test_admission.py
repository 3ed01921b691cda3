"""Who may open a checkout: lapsed, blocked, refused, admitted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from tests.unit.checkout.builders import (
    NOW,
    SUBSCRIPTION,
    THEIRS,
    operation,
    session,
    situation,
    subscription,
)

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
from checkout.decisions.answers import stored_answer
from checkout.decisions.blockade import Blockade, decide_blockade, end_lapsed
from checkout.decisions.claim import (
    InProgress,
    KeyConflict,
    LeaseEnded,
    Replay,
    decide_existing,
)
from checkout.decisions.pricing import decide_price
from checkout.decisions.situation import Admitted, Refused, Verdict
from checkout.decisions.subscription_checkout import decide_subscription_checkout

_S = SessionStatus


@dataclass(frozen=True)
class Price:
    provider_price_id: str = "price_1"
    currency: str = "usd"


def decide(*, subscriptions=(), prices=(Price(),)) -> Verdict:
    return decide_subscription_checkout(
        situation(SUBSCRIPTION, gathered=prices, subscriptions=subscriptions)
    )


def test_a_free_entity_is_admitted() -> None:
    assert decide_blockade((), now=NOW) == Blockade((), None)
    verdict = decide()
    assert isinstance(verdict, Admitted)
    assert verdict.params["line_items"] == [{"price": "price_1", "quantity": 1}]


@pytest.mark.requirement("CHK-03")
@pytest.mark.parametrize("status", _S)
@pytest.mark.parametrize("seconds", [-91, -90, -89, -1, 0, 1])
def test_a_row_blocks_or_has_lapsed_never_both(status: SessionStatus, seconds: int) -> None:
    row = session(status, operation_key=THEIRS, expires_at=NOW + timedelta(seconds=seconds))

    blockade = decide_blockade((row,), now=NOW)

    is_blocked = blockade.blocked is not None
    assert not (is_blocked and blockade.ended)
    assert (is_blocked or bool(blockade.ended)) == (status in BLOCKING)
    if status is _S.OPEN:
        assert is_blocked == (seconds > -EXPIRY_GRACE.total_seconds())
    if status is _S.RECOVERY_VERIFICATION_PENDING:
        assert is_blocked == (seconds > 0)
    if blockade.blocked is not None:
        assert FAILURES[blockade.blocked.code].is_transient, "a block must not burn the key"
    for ended in blockade.ended:
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
    row = session(_S.OPEN, operation_key=THEIRS, **changes)
    blocked = decide_blockade((row,), now=NOW).blocked

    assert blocked is not None
    assert ("checkoutUrl" in blocked.details) == shows_url
    assert blocked.details["operationKey"] == THEIRS
    assert "cs_1" not in str(blocked.details)


def test_a_one_off_session_does_not_block() -> None:
    row = session(_S.OPEN, flow=SessionFlow.ONE_OFF)

    assert decide_blockade((row,), now=NOW).blocked is None


@pytest.mark.requirement("SCOPE-03")
@pytest.mark.parametrize("status", SubscriptionStatus)
@pytest.mark.parametrize("is_current", [True, False])
def test_any_live_subscription_refuses(status: SubscriptionStatus, *, is_current: bool) -> None:
    verdict = decide(subscriptions=(subscription(status, is_current=is_current),))

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
