"""Subscriptions made and changed through the API: payment, items, proration, trials, cancelling."""

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


def test_a_new_subscription_is_paid_and_active(account: BillingAccount) -> None:
    made = account.subscribed(account.price(1200), quantity=2, metadata={"entity": "42"})
    assert (made.status, made.billing_mode.type) == ("active", "flexible")
    (invoice,) = account.invoices()
    assert (invoice.status, invoice.total, invoice.amount_paid) == ("paid", 2400, 2400)
    assert invoice.billing_reason == "subscription_create"
    assert invoice.hosted_invoice_url.endswith(f"/i/{invoice.id}")
    assert made.latest_invoice == invoice.id
    created = account.last_event("customer.subscription.created").data.object
    assert created.status == "incomplete"
    updated = account.last_event("customer.subscription.updated").data
    assert (updated.object.status, updated.previous_attributes.status) == ("active", "incomplete")
    (charge,) = account.double.ledger("charge", outcome="succeeded")
    assert (charge["amount"], charge["subscription"]) == (2400, made.id)


def test_a_refused_first_payment_leaves_it_incomplete_and_a_new_card_pays(shop: Any) -> None:
    account = BillingAccount(shop, REFUSED)
    made = account.subscribed(account.price(1200))
    assert made.status == "incomplete"
    (invoice,) = account.invoices()
    assert (invoice.status, invoice.attempt_count, invoice.next_payment_attempt) == (
        "open",
        1,
        None,
    )
    with pytest.raises(stripe.CardError):
        account.v1.invoices.pay(invoice.id)
    account.put_card(GOOD)
    assert account.v1.invoices.pay(invoice.id).status == "paid"
    assert account.v1.subscriptions.retrieve(made.id).status == "active"


def test_a_first_payment_that_never_comes_expires_after_23_hours(shop: Any) -> None:
    account = BillingAccount(shop, None)
    made = account.subscribed(account.price(1200), payment_behavior="default_incomplete")
    assert made.status == "incomplete"
    account.advance(23 * 3600 + 1)
    ended = account.v1.subscriptions.retrieve(made.id)
    assert (ended.status, ended.ended_at) == ("incomplete_expired", made.created + 23 * 3600)
    assert [invoice.status for invoice in account.invoices()] == ["void"]
    with pytest.raises(stripe.InvalidRequestError):
        account.v1.subscriptions.update(made.id, {"description": "late"})


def test_error_if_incomplete_makes_nothing(shop: Any) -> None:
    account = BillingAccount(shop, REFUSED)
    with pytest.raises(stripe.CardError):
        account.subscribed(account.price(1200), payment_behavior="error_if_incomplete")
    assert account.v1.subscriptions.list({"status": "all"}).data == []
    assert account.invoices() == []


def test_without_a_card_nothing_begins(shop: Any) -> None:
    account = BillingAccount(shop, None)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        account.subscribed(account.price(1200))
    assert caught.value.code == "resource_missing"
    by_mail = account.subscribed(
        account.price(900), collection_method="send_invoice", days_until_due=14
    )
    assert by_mail.status == "active"
    account.advance(3700)
    (invoice,) = account.invoices()
    assert (invoice.status, invoice.due_date) == ("open", by_mail.created + 14 * DAY)
    account.advance(15 * DAY)
    assert account.v1.subscriptions.retrieve(by_mail.id).status == "past_due"
    assert "invoice.overdue" in account.event_types()
    account.v1.invoices.pay(invoice.id, {"paid_out_of_band": True})
    assert account.v1.subscriptions.retrieve(by_mail.id).status == "active"
    assert account.double.ledger("charge") == []


def test_a_trial_is_announced_ends_and_is_paid(account: BillingAccount) -> None:
    made = account.subscribed(account.price(1200), trial_period_days=10)
    assert (made.status, made.trial_end) == ("trialing", made.created + 10 * DAY)
    assert made["items"].data[0].current_period_end == made.trial_end
    assert [invoice.total for invoice in account.invoices()] == [0]
    account.advance(7 * DAY - 10)
    assert "customer.subscription.trial_will_end" not in account.event_types()
    account.advance(20)
    assert account.event_types()[-1] == "customer.subscription.trial_will_end"
    account.advance(3 * DAY + 3700)
    assert account.v1.subscriptions.retrieve(made.id).status == "active"
    assert [invoice.amount_paid for invoice in account.invoices()] == [0, 1200]


@pytest.mark.parametrize(
    ("behavior", "status"), [("pause", "paused"), ("cancel", "canceled"), ("create_invoice", None)]
)
def test_a_trial_that_ends_without_a_card(shop: Any, behavior: str, status: str | None) -> None:
    account = BillingAccount(shop, None)
    made = account.subscribed(
        account.price(1200),
        trial_period_days=1,
        trial_settings={"end_behavior": {"missing_payment_method": behavior}},
    )
    account.advance(DAY + 3700)
    after = account.v1.subscriptions.retrieve(made.id)
    assert after.status == (status or "past_due")
    if behavior == "pause":
        assert account.event_types()[-1] == "customer.subscription.paused"
        paused = after.status_details.paused
        assert paused.subscription.type == "trial_end_without_payment_method"


def test_a_better_price_in_the_middle_is_prorated_exactly(account: BillingAccount) -> None:
    small, big = account.price(1000), account.price(3000)
    made = account.subscribed(small)
    item = made["items"].data[0]
    half = (item.current_period_end - item.current_period_start) // 2
    date = item.current_period_start + half
    account.advance(half)
    change = {"items": [{"id": item.id, "price": big}], "proration_date": date}
    preview = account.v1.invoices.create_preview(
        {"subscription": made.id, "subscription_details": change}
    )
    assert amounts(preview.lines) == [-500, 1500, 3000]
    account.v1.subscriptions.update(made.id, change)
    waiting = account.v1.invoice_items.list({"customer": account.customer, "pending": True}).data
    assert sorted(one.amount for one in waiting) == [-500, 1500]
    assert all(one.proration for one in waiting)
    account.advance(half + 3700)
    renewal = account.invoices()[-1]
    assert sorted(amounts(renewal.lines)) == [-500, 1500, 3000]
    assert (renewal.status, renewal.total) == ("paid", preview.total)
    assert account.v1.invoice_items.list({"pending": True}).data == []
    types = account.event_types()
    assert types.count("invoiceitem.created") == 2


def test_always_invoice_charges_at_once_and_none_charges_nothing(account: BillingAccount) -> None:
    small, big = account.price(1000), account.price(3000)
    made = account.subscribed(small)
    item = made["items"].data[0]
    change = {"items": [{"id": item.id, "price": big}], "proration_date": made.created}
    account.v1.subscriptions.update(made.id, {**change, "proration_behavior": "none"})
    assert len(account.invoices()) == 1
    back = {"items": [{"id": item.id, "price": small}], "proration_behavior": "none"}
    account.v1.subscriptions.update(made.id, back)
    after = account.v1.subscriptions.update(
        made.id, {**change, "proration_behavior": "always_invoice"}
    )
    (_, invoice) = account.invoices()
    assert (invoice.billing_reason, invoice.amount_paid) == ("subscription_update", 2000)
    assert after.latest_invoice == invoice.id
    event = account.last_event("customer.subscription.updated")
    assert event.data.previous_attributes["items"].data[0].price.id == small
    assert event.data.previous_attributes.latest_invoice == made.latest_invoice


def test_a_downgrade_is_credited_to_the_balance_and_used_up(account: BillingAccount) -> None:
    big, small = account.price(3000), account.price(1000)
    made = account.subscribed(big)
    item = made["items"].data[0]
    account.v1.subscriptions.update(
        made.id,
        {
            "items": [{"id": item.id, "price": small}],
            "proration_behavior": "always_invoice",
            "proration_date": made.created,
        },
    )
    (_, credit) = account.invoices()
    assert (credit.total, credit.amount_due, credit.status) == (-2000, 0, "paid")
    assert account.v1.customers.retrieve(account.customer).balance == -2000
    account.advance(31 * DAY + 3700)
    renewal = account.invoices()[-1]
    assert (renewal.total, renewal.amount_due, renewal.ending_balance) == (1000, 0, -1000)
    assert len(account.double.ledger("charge")) == 1


def test_items_join_change_and_leave(account: BillingAccount) -> None:
    seats, support = account.price(500), account.price(900)
    made = account.subscribed(seats, quantity=2)
    update = account.v1.subscriptions.update
    joined = update(made.id, {"items": [{"price": support}], "proration_date": made.created})
    assert [item.price.id for item in joined["items"].data] == [seats, support]
    first, second = joined["items"].data
    assert first.current_period_end == second.current_period_end
    more = update(made.id, {"items": [{"id": first.id, "quantity": 5}]})
    assert more["items"].data[0].quantity == 5
    left = update(made.id, {"items": [{"id": second.id, "deleted": True}]})
    assert [item.id for item in left["items"].data] == [first.id]
    with pytest.raises(stripe.InvalidRequestError):
        update(made.id, {"items": [{"id": first.id, "deleted": True}]})
    with pytest.raises(stripe.InvalidRequestError):
        update(made.id, {"items": [{"price": seats}]})


def test_another_rhythm_begins_a_new_period_and_bills_it(account: BillingAccount) -> None:
    monthly, yearly = account.price(1000), account.price(10_000, "year")
    made = account.subscribed(monthly)
    item = made["items"].data[0]
    after = account.v1.subscriptions.update(
        made.id, {"items": [{"id": item.id, "price": yearly}], "proration_date": made.created}
    )
    (_, invoice) = account.invoices()
    assert sorted(amounts(invoice.lines)) == [-1000, 10_000]
    assert (invoice.status, invoice.amount_paid) == ("paid", 9000)
    assert after["items"].data[0].current_period_end - after.billing_cycle_anchor >= 365 * DAY


def test_a_pending_update_waits_for_its_payment(account: BillingAccount) -> None:
    small, big = account.price(1000), account.price(3000)
    made = account.subscribed(small)
    item = made["items"].data[0]
    account.put_card(REFUSED)
    change = {
        "items": [{"id": item.id, "price": big}],
        "payment_behavior": "pending_if_incomplete",
        "proration_behavior": "always_invoice",
    }
    waiting = account.v1.subscriptions.update(made.id, change)
    assert waiting.status == "active"
    assert waiting["items"].data[0].price.id == small
    assert waiting.pending_update.subscription_items[0].price.id == big
    account.put_card(GOOD)
    account.v1.invoices.pay(waiting.latest_invoice)
    applied = account.v1.subscriptions.retrieve(made.id)
    assert (applied["items"].data[0].price.id, applied.pending_update) == (big, None)
    assert account.event_types()[-1] == "customer.subscription.pending_update_applied"


def test_a_pending_update_expires(account: BillingAccount) -> None:
    small, big = account.price(1000), account.price(3000)
    made = account.subscribed(small)
    account.put_card(REFUSED)
    account.v1.subscriptions.update(
        made.id,
        {
            "items": [{"id": made["items"].data[0].id, "price": big}],
            "payment_behavior": "pending_if_incomplete",
            "proration_behavior": "always_invoice",
        },
    )
    account.advance(23 * 3600 + 1)
    after = account.v1.subscriptions.retrieve(made.id)
    assert (after.pending_update, after["items"].data[0].price.id) == (None, small)
    assert account.event_types()[-1] == "customer.subscription.pending_update_expired"
    assert account.invoices()[-1].status == "void"


def test_cancelling_gives_unused_time_back(account: BillingAccount) -> None:
    made = account.subscribed(account.price(3000))
    item = made["items"].data[0]
    account.advance((item.current_period_end - item.current_period_start) // 3)
    account.v1.subscriptions.cancel(made.id, {"prorate": True, "invoice_now": True})
    (_, credit) = account.invoices()
    assert credit.total == pytest.approx(-2000, abs=1)
    assert account.v1.customers.retrieve(account.customer).balance == credit.total


def test_a_set_end_shortens_the_last_period(account: BillingAccount) -> None:
    made = account.subscribed(account.price(3000))
    item = made["items"].data[0]
    boundary = item.current_period_end
    account.v1.subscriptions.update(made.id, {"cancel_at": boundary + 10 * DAY})
    account.advance(boundary - made.created + 3700)
    last = account.invoices()[-1]
    assert 900 < last.total < 1100
    account.advance(10 * DAY)
    ended = account.v1.subscriptions.retrieve(made.id)
    assert (ended.status, ended.ended_at) == ("canceled", boundary + 10 * DAY)
    assert len(account.invoices()) == 2


def test_a_later_anchor_makes_a_shorter_first_period(account: BillingAccount) -> None:
    made = account.subscribed(
        account.price(3000),
        billing_cycle_anchor=account.double.call(lambda c: c.advance(0)) + 864_000,
    )
    (first,) = account.invoices()
    assert 900 < first.total < 1100
    assert made["items"].data[0].current_period_end == made.billing_cycle_anchor
    account.advance(864_000 + 3700)
    assert account.invoices()[-1].total == 3000


@pytest.mark.parametrize(
    ("behavior", "status"),
    [("keep_as_draft", "draft"), ("void", "void"), ("mark_uncollectible", "uncollectible")],
)
def test_collection_is_paused_apart_from_the_status(
    account: BillingAccount, behavior: str, status: str
) -> None:
    made = account.subscribed(account.price(1200))
    account.v1.subscriptions.update(made.id, {"pause_collection": {"behavior": behavior}})
    account.advance(32 * DAY)
    assert account.invoices()[-1].status == status
    assert account.v1.subscriptions.retrieve(made.id).status == "active"
    resumed = account.v1.subscriptions.update(made.id, {"pause_collection": ""})
    assert resumed.pause_collection is None
    assert len(account.double.ledger("charge")) == 1
