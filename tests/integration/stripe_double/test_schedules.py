"""Subscription schedules: phases by the clock, made new or from a subscription, ended two ways."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
from tests.integration.stripe_double.billing_account import (
    DAY,
    GOOD,
    REFUSED,
    BillingAccount,
    amounts,
)


@pytest.fixture
def account(shop: Any) -> BillingAccount:
    return BillingAccount(shop)


def phases(account: BillingAccount, *prices: str) -> list[dict[str, Any]]:
    month = {"interval": "month"}
    return [
        {"items": [{"price": price, "quantity": 1}], "duration": {**month, "interval_count": 1}}
        for price in prices
    ]


def scheduled(account: BillingAccount, *prices: str, **values: Any) -> Any:
    return account.v1.subscription_schedules.create(
        {
            "customer": account.customer,
            "start_date": "now",
            "phases": phases(account, *prices),
            **values,
        }
    )


def test_each_phase_has_its_price_and_then_the_subscription_is_free(
    account: BillingAccount,
) -> None:
    first, second = account.price(1000), account.price(2500)
    schedule = scheduled(account, first, second)
    assert schedule.status == "active"
    assert schedule.current_phase.end_date == schedule.phases[0].end_date
    made = account.v1.subscriptions.retrieve(schedule.subscription)
    assert (made.schedule, made["items"].data[0].price.id) == (schedule.id, first)
    account.advance(3700)
    assert [invoice.amount_paid for invoice in account.invoices()] == [1000]
    account.advance(schedule.phases[0].end_date - schedule.created + 100)
    assert account.v1.subscriptions.retrieve(made.id)["items"].data[0].price.id == second
    account.advance(32 * DAY)
    assert [amounts(invoice.lines) for invoice in account.invoices()] == [[1000], [2500], [2500]]
    released = account.v1.subscription_schedules.retrieve(schedule.id)
    assert (released.status, released.subscription) == ("released", None)
    assert released.released_subscription == made.id
    assert account.v1.subscriptions.retrieve(made.id).schedule is None
    types = account.event_types()
    assert types.count("subscription_schedule.expiring") == 1
    assert types.count("subscription_schedule.released") == 1


def test_one_that_ends_in_cancel_ends_its_subscription(account: BillingAccount) -> None:
    schedule = scheduled(account, account.price(1000), end_behavior="cancel")
    account.advance(32 * DAY)
    ended = account.v1.subscription_schedules.retrieve(schedule.id)
    assert ended.status == "completed"
    assert account.v1.subscriptions.retrieve(schedule.subscription).status == "canceled"
    assert len(account.invoices()) == 1


def test_a_later_start_makes_the_subscription_then(account: BillingAccount) -> None:
    now = account.double.call(lambda control: control.advance(0))
    schedule = scheduled(account, account.price(1000), start_date=now + 5 * DAY)
    assert (schedule.status, schedule.subscription) == ("not_started", None)
    assert account.v1.subscription_schedules.list({"scheduled": True}).data[0].id == schedule.id
    account.advance(5 * DAY + 10)
    started = account.v1.subscription_schedules.retrieve(schedule.id)
    assert started.status == "active"
    made = account.v1.subscriptions.retrieve(started.subscription)
    assert (made.status, made.start_date) == ("active", now + 5 * DAY)


def test_a_subscription_gets_a_schedule_and_a_better_next_phase(account: BillingAccount) -> None:
    small, big = account.price(1000), account.price(3000)
    made = account.subscribed(small)
    schedules = account.v1.subscription_schedules
    schedule = schedules.create({"from_subscription": made.id})
    assert account.v1.subscriptions.retrieve(made.id).schedule == schedule.id
    current = schedule.phases[0]
    schedules.update(
        schedule.id,
        {
            "phases": [
                {
                    "items": [{"price": small}],
                    "start_date": current.start_date,
                    "end_date": current.end_date,
                },
                {"items": [{"price": big}]},
            ]
        },
    )
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    with pytest.raises(stripe.InvalidRequestError):
        schedules.create({"from_subscription": made.id})
    account.advance(current.end_date - made.created + 3700)
    assert [invoice.amount_paid for invoice in account.invoices()] == [1000, 3000]


def test_release_and_cancel(account: BillingAccount) -> None:
    schedules = account.v1.subscription_schedules
    kept = scheduled(account, account.price(1000))
    released = schedules.release(kept.id)
    assert released.status == "released"
    assert account.v1.subscriptions.retrieve(kept.subscription).status == "active"
    for act in (schedules.release, schedules.cancel):
        with pytest.raises(stripe.InvalidRequestError):
            act(kept.id)
    gone = scheduled(account, account.price(1000))
    assert schedules.cancel(gone.id).status == "canceled"
    assert account.v1.subscriptions.retrieve(gone.subscription).status == "canceled"
    ended = scheduled(account, account.price(1000))
    account.v1.subscriptions.cancel(ended.subscription)
    assert schedules.retrieve(ended.id).status == "canceled"


def test_archived_prices_and_deleted_customers_stop_nothing_else(account: BillingAccount) -> None:
    first, second = account.price(1000), account.price(2500)
    schedule = scheduled(account, first, second)
    account.v1.prices.update(second, {"active": False})
    account.advance(32 * DAY)
    made = account.v1.subscriptions.retrieve(schedule.subscription)
    assert made["items"].data[0].price.id == second
    now = account.double.call(lambda control: control.advance(0))
    later = scheduled(account, first, start_date=now + DAY)
    account.v1.customers.delete(account.customer)
    account.advance(2 * DAY)
    assert account.v1.subscription_schedules.retrieve(later.id).status == "canceled"


def test_schedules_and_subscriptions_are_listed_by_their_times(account: BillingAccount) -> None:
    released = account.v1.subscription_schedules.release(scheduled(account, account.price(1000)).id)
    scheduled(account, account.price(900))
    schedules = account.v1.subscription_schedules
    found = schedules.list({"released_at": {"gte": released.released_at}}).data
    assert [one.id for one in found] == [released.id]
    assert schedules.list({"canceled_at": {"gte": 0}}).data == []
    boundary = released.created + 20 * DAY
    subscriptions = account.v1.subscriptions
    assert len(subscriptions.list({"current_period_end": {"gt": boundary}}).data) == 2
    assert subscriptions.list({"current_period_end": {"lt": boundary}}).data == []


def test_a_phase_that_became_impossible_aborts_the_schedule(account: BillingAccount) -> None:
    now = account.double.call(lambda control: control.advance(0))
    later = scheduled(account, account.price(1000), start_date=now + DAY)
    euros = account.v1.prices.create(
        {
            "product": account.product,
            "currency": "eur",
            "unit_amount": 5,
            "recurring": {"interval": "month"},
        }
    )
    account.subscribed(euros.id)
    account.advance(2 * DAY)
    assert account.v1.subscription_schedules.retrieve(later.id).status == "canceled"
    assert "subscription_schedule.aborted" in account.event_types()


def test_the_first_invoice_of_a_schedule_is_tried_again(shop: Any) -> None:
    account = BillingAccount(shop, REFUSED)
    schedule = scheduled(account, account.price(1000))
    account.advance(3700)
    (invoice,) = account.invoices()
    assert (invoice.status, invoice.attempt_count) == ("open", 1)
    assert account.v1.subscriptions.retrieve(schedule.subscription).status == "past_due"
    account.put_card(GOOD)
    account.advance(3 * DAY + 10)
    assert account.v1.subscriptions.retrieve(schedule.subscription).status == "active"


@pytest.mark.parametrize(
    "wrong",
    [
        {"phases": []},
        {"phases": [{"items": []}]},
        {"phases": [{"items": [{"price": "P"}, {"price": "P"}]}]},
        {"phases": [{"items": [{"price": "P"}], "end_date": 5}]},
        {"phases": [{"items": [{"price": "P"}]}], "from_subscription": "sub_none"},
        {"phases": [{"items": [{"price": "price_none"}]}]},
    ],
)
def test_what_cannot_be_scheduled_is_refused(account: BillingAccount, wrong: Any) -> None:
    price = account.price(1000)
    for phase in wrong["phases"]:
        for item in phase["items"]:
            item["price"] = price if item["price"] == "P" else item["price"]
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.subscription_schedules.create({"customer": account.customer, **wrong})
    assert account.v1.subscription_schedules.list().data == []
