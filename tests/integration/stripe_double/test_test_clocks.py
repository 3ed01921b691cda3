"""Test clocks: customers with a time of their own, advanced on request, gone with their clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from tests.integration.stripe_double.billing_account import DAY, REFUSED, BillingAccount

START = int(datetime(2031, 1, 31, 12, tzinfo=UTC).timestamp())


@pytest.fixture
def clock(shop: Any) -> Any:
    return shop.client.v1.test_helpers.test_clocks.create({"frozen_time": START, "name": "Years"})


def test_what_lives_on_a_clock_has_its_time(shop: Any, clock: Any) -> None:
    account = BillingAccount(shop, test_clock=clock.id)
    made = account.subscribed(account.price(1000))
    assert (made.created, made.test_clock, made.status) == (START, clock.id, "active")
    (invoice,) = account.invoices()
    assert (invoice.created, invoice.test_clock) == (START, clock.id)
    account.advance(400 * DAY)
    assert len(account.invoices()) == 1


def test_advancing_renews_and_says_ready(shop: Any, clock: Any) -> None:
    account = BillingAccount(shop, test_clock=clock.id)
    clocks = account.v1.test_helpers.test_clocks
    made = account.subscribed(account.price(1000))
    target = START + 30 * DAY
    advancing = clocks.advance(clock.id, {"frozen_time": target})
    assert advancing.status == "advancing"
    assert advancing.status_details.advancing.target_frozen_time == target
    ready = clocks.retrieve(clock.id)
    assert (ready.status, ready.frozen_time) == ("ready", target)
    first, renewal = account.invoices()
    february = int(datetime(2031, 2, 28, 12, tzinfo=UTC).timestamp())
    assert (first.amount_paid, renewal.created, renewal.status) == (1000, february, "paid")
    item = account.v1.subscriptions.retrieve(made.id)["items"].data[0]
    assert item.current_period_start == february
    types = [kind for kind in account.event_types() if kind.startswith("test_helpers")]
    assert types == [
        f"test_helpers.test_clock.{word}" for word in ("created", "advancing", "ready")
    ]
    now = shop.double.call(lambda control: control.advance(0))
    assert all(event.created <= now for event in account.v1.events.list({"limit": 100}).data)


def test_a_year_of_refusals_passes_in_one_test(shop: Any, clock: Any) -> None:
    account = BillingAccount(shop, test_clock=clock.id)
    clocks = account.v1.test_helpers.test_clocks
    made = account.subscribed(account.price(1000))
    account.put_card(REFUSED)
    for day in (30, 60):
        clocks.advance(clock.id, {"frozen_time": START + day * DAY})
        clocks.retrieve(clock.id)
    ended = account.v1.subscriptions.retrieve(made.id)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "payment_failed")
    assert ended.ended_at > START + 28 * DAY


def test_it_goes_only_forward_and_not_too_far(shop: Any, clock: Any) -> None:
    account = BillingAccount(shop, test_clock=clock.id)
    clocks = account.v1.test_helpers.test_clocks
    account.subscribed(account.price(1000))
    for wrong in (START, START - 1, START + 90 * DAY):
        with pytest.raises(stripe.InvalidRequestError):
            clocks.advance(clock.id, {"frozen_time": wrong})
    assert clocks.retrieve(clock.id).frozen_time == START


def test_deleting_it_takes_its_customers_along(shop: Any, clock: Any) -> None:
    account = BillingAccount(shop, test_clock=clock.id)
    clocks = account.v1.test_helpers.test_clocks
    made = account.subscribed(account.price(1000))
    assert account.v1.customers.list({"test_clock": clock.id}).data[0].id == account.customer
    assert clocks.delete(clock.id).deleted is True
    assert account.v1.customers.retrieve(account.customer).deleted is True
    assert account.v1.subscriptions.retrieve(made.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        clocks.retrieve(clock.id)


def test_schedules_and_trials_follow_the_clock(shop: Any, clock: Any) -> None:
    account = BillingAccount(shop, test_clock=clock.id)
    clocks = account.v1.test_helpers.test_clocks
    trial = account.subscribed(account.price(900), trial_period_days=10)
    schedule = account.v1.subscription_schedules.create(
        {
            "customer": account.customer,
            "start_date": START + 5 * DAY,
            "phases": [{"items": [{"price": account.price(1000)}]}],
        }
    )
    clocks.advance(clock.id, {"frozen_time": START + 11 * DAY})
    assert account.v1.subscriptions.retrieve(trial.id).status == "active"
    started = account.v1.subscription_schedules.retrieve(schedule.id)
    assert started.status == "active"
    assert account.v1.subscriptions.retrieve(started.subscription).created == START + 5 * DAY
    assert "customer.subscription.trial_will_end" in account.event_types()


def test_a_session_of_a_customer_on_a_clock_makes_its_subscription_there(
    shop: Any, clock: Any
) -> None:
    account = BillingAccount(shop, test_clock=clock.id)
    session = shop.session(
        customer=account.customer, line_items=[{"price": account.price(1000), "quantity": 1}]
    )
    shop.double.call(lambda control: control.pay(session.id))
    (made,) = account.v1.subscriptions.list({"test_clock": clock.id}).data
    assert (made.created, made.status) == (START, "active")
    assert account.v1.subscriptions.list().data == []
