"""Subscription items by their own API, pausing and resuming, and ends that settings decide."""

from __future__ import annotations

from dataclasses import replace
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


def test_items_have_an_api_of_their_own(account: BillingAccount) -> None:
    items = account.v1.subscription_items
    made = account.subscribed(account.price(500))
    added = items.create({"subscription": made.id, "price": account.price(900), "quantity": 2})
    assert (added.quantity, added.subscription) == (2, made.id)
    assert len(items.list({"subscription": made.id}).data) == 2
    changed = items.update(
        added.id, {"quantity": 3, "metadata": {"seat": "a"}, "proration_behavior": "none"}
    )
    assert (changed.quantity, changed.metadata["seat"]) == (3, "a")
    assert items.delete(added.id).deleted is True
    with pytest.raises(stripe.InvalidRequestError) as caught:
        items.retrieve(added.id)
    assert caught.value.http_status == 404
    with pytest.raises(stripe.InvalidRequestError):
        items.delete(made["items"].data[0].id)
    assert account.event_types().count("customer.subscription.updated") == 4


def test_a_paused_subscription_is_not_billed_and_resumes_with_a_new_period(
    account: BillingAccount,
) -> None:
    made = account.subscribed(account.price(3000))
    item = made["items"].data[0]
    account.advance((item.current_period_end - item.current_period_start) // 2)
    paused = account.v1.subscriptions.pause(made.id)
    assert paused.status == "paused"
    assert paused.status_details.paused.subscription.type == "pause_requested"
    (credit,) = account.v1.invoice_items.list({"pending": True}).data
    assert credit.amount == pytest.approx(-1500, abs=1)
    assert account.event_types()[-1] == "customer.subscription.paused"
    account.advance(100 * DAY)
    assert len(account.invoices()) == 1
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.subscriptions.pause(made.id)
    resumed = account.v1.subscriptions.resume(made.id)
    assert (resumed.status, resumed.status_details) == ("active", None)
    invoice = account.invoices()[-1]
    assert sorted(amounts(invoice.lines)) == [credit.amount, 3000]
    assert (invoice.status, invoice.amount_paid) == ("paid", 3000 + credit.amount)
    assert "customer.subscription.resumed" in account.event_types()


def test_a_trial_paused_for_want_of_a_card_resumes_when_there_is_one(shop: Any) -> None:
    account = BillingAccount(shop, None)
    made = account.subscribed(
        account.price(1200),
        trial_period_days=1,
        trial_settings={"end_behavior": {"missing_payment_method": "pause"}},
    )
    account.advance(2 * DAY)
    account.put_card(GOOD)
    resumed = account.v1.subscriptions.resume(made.id)
    assert (resumed.status, account.charged()) == ("active", 1200)


def test_a_trial_ends_at_once(account: BillingAccount) -> None:
    made = account.subscribed(account.price(1200), trial_period_days=10)
    ended = account.v1.subscriptions.update(made.id, {"trial_end": "now"})
    assert (ended.status, account.charged()) == ("active", 1200)
    again = account.v1.subscriptions.update(made.id, {"trial_end": ended.trial_end + 20 * DAY})
    assert again.status == "trialing"
    assert again.billing_cycle_anchor == again.trial_end


def test_the_anchor_moves_to_now(account: BillingAccount) -> None:
    made = account.subscribed(account.price(3000))
    item = made["items"].data[0]
    third = (item.current_period_end - item.current_period_start) // 3
    account.advance(third)
    after = account.v1.subscriptions.update(made.id, {"billing_cycle_anchor": {"type": "now"}})
    assert after["items"].data[0].current_period_start == after.billing_cycle_anchor
    invoice = account.invoices()[-1]
    assert invoice.total == pytest.approx(1000, abs=1)
    assert account.charged() == 3000 + invoice.total


@pytest.mark.parametrize(
    ("setting", "status"),
    [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")],
)
def test_what_follows_the_last_retry_is_a_setting(shop: Any, setting: str, status: str) -> None:
    world = shop.double.double.world
    before = world.options
    shop.double.call(lambda _: setattr(world, "options", _with(before, setting)))
    try:
        account = BillingAccount(shop)
        made = account.subscribed(account.price(1000))
        account.put_card(REFUSED)
        account.advance(31 * DAY + 3700)
        account.advance(16 * DAY)
        assert account.v1.subscriptions.retrieve(made.id).status == status
        if status == "unpaid":
            account.advance(31 * DAY)
            assert account.invoices()[-1].status == "draft"
            latest = account.invoices()[-1]
            account.put_card(GOOD)
            account.v1.invoices.pay(latest.id)
            assert account.v1.subscriptions.retrieve(made.id).status == "active"
    finally:
        shop.double.call(lambda _: setattr(world, "options", before))


def _with(options: Any, setting: str) -> Any:
    return replace(options, subscription_after_retries=setting)


def test_a_set_end_is_taken_back_or_moved(account: BillingAccount) -> None:
    made = account.subscribed(account.price(1000))
    boundary = made["items"].data[0].current_period_end
    update = account.v1.subscriptions.update
    assert update(made.id, {"cancel_at": "min_period_end"}).cancel_at == boundary
    assert update(made.id, {"cancel_at": boundary + DAY}).cancel_at == boundary + DAY
    assert update(made.id, {"cancel_at": ""}).cancel_at is None
    with pytest.raises(stripe.InvalidRequestError):
        update(made.id, {"cancel_at": boundary, "cancel_at_period_end": True})
    with pytest.raises(stripe.InvalidRequestError):
        update(made.id, {"cancel_at": made.created - 1})


def test_an_invoice_is_announced_a_week_ahead(account: BillingAccount) -> None:
    made = account.subscribed(account.price(1000))
    boundary = made["items"].data[0].current_period_end
    account.advance(boundary - made.created - 7 * DAY + 10)
    event = account.last_event("invoice.upcoming")
    assert "id" not in event.data.object.to_dict()
    assert (event.data.object.total, event.data.object.billing_reason) == (1000, "upcoming")


@pytest.mark.parametrize(("behavior", "credits"), [("create_prorations", 1), ("none", 0)])
def test_a_set_end_inside_the_period_gives_the_rest_back_if_so_agreed(
    account: BillingAccount, behavior: str, credits: int
) -> None:
    made = account.subscribed(account.price(3000))
    account.v1.subscriptions.update(
        made.id, {"cancel_at": made.created + 10 * DAY, "proration_behavior": behavior}
    )
    account.advance(10 * DAY + 10)
    assert account.v1.subscriptions.retrieve(made.id).status == "canceled"
    waiting = account.v1.invoice_items.list({"pending": True}).data
    assert len(waiting) == credits
    assert all(-2100 < one.amount < -1900 for one in waiting)


def test_a_card_set_up_in_a_trial_pays_its_end(shop: Any) -> None:
    account = BillingAccount(shop, None)
    made = account.subscribed(
        account.price(1200),
        trial_period_days=7,
        payment_behavior="default_incomplete",
        payment_settings={"save_default_payment_method": "on_subscription"},
        trial_settings={"end_behavior": {"missing_payment_method": "cancel"}},
        expand=["pending_setup_intent"],
    )
    assert (made.status, made.pending_setup_intent.customer) == ("trialing", account.customer)
    account.v1.setup_intents.confirm(made.pending_setup_intent.id, {"payment_method": GOOD})
    ready = account.v1.subscriptions.retrieve(made.id)
    assert ready.pending_setup_intent is None
    assert ready.default_payment_method is not None
    account.advance(7 * DAY + 3700)
    assert account.v1.subscriptions.retrieve(made.id).status == "active"
    assert account.charged() == 1200


def test_a_card_that_was_detached_no_longer_pays(account: BillingAccount) -> None:
    made = account.subscribed(account.price(1000))
    settings = account.v1.customers.retrieve(account.customer).invoice_settings
    account.v1.payment_methods.detach(settings.default_payment_method)
    account.advance(31 * DAY + 3700)
    assert account.v1.subscriptions.retrieve(made.id).status == "past_due"
    assert account.invoices()[-1].attempt_count == 1
    assert account.charged() == 1000


def test_changes_while_paused_cost_nothing(account: BillingAccount) -> None:
    made = account.subscribed(account.price(1000))
    account.v1.subscriptions.pause(made.id, {"bill_for": {"unused_time_from": {"type": "none"}}})
    item = made["items"].data[0].id
    for price in (account.price(5000), account.price(9000, "year")):
        account.v1.subscriptions.update(made.id, {"items": [{"id": item, "price": price}]})
    assert account.v1.invoice_items.list({"pending": True}).data == []
    assert account.charged() == 1000
