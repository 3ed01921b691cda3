"""Who may open a checkout: lapsed, blocked, refused, admitted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from tests.unit.checkout.builders import (
    NOW,
    SUBSCRIPTION,
    operation,
    situation,
    subscription,
)

from billing_common.domain.checkout_session import (
    SessionStatus,
)
from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import OperationStatus
from billing_common.domain.subscription import CURRENT_CAPABLE, SubscriptionStatus
from checkout.decisions.answers import stored_answer
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
    verdict = decide()
    assert isinstance(verdict, Admitted)
    assert verdict.params["line_items"] == [{"price": "price_1", "quantity": 1}]


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
