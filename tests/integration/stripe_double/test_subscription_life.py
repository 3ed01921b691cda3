"""Subscriptions and their invoices: cancel, renew, miss a payment, recover, end."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

DAY = 24 * 3600


@pytest.fixture
def subscribed(shop: Any) -> Any:
    session = shop.bought(subscription_data={"metadata": {"entity": "42"}})
    return shop.client.v1.subscriptions.retrieve(session.subscription)


def test_cancel_now_deletes_and_hides_it(shop: Any, subscribed: Any) -> None:
    cancelled = shop.client.v1.subscriptions.cancel(
        subscribed.id, {"cancellation_details": {"comment": "bye"}}
    )
    assert (cancelled.status, cancelled.cancellation_details.comment) == ("canceled", "bye")
    assert cancelled.ended_at == cancelled.canceled_at
    subscriptions = shop.client.v1.subscriptions
    assert subscriptions.list({"customer": shop.customer}).data == []
    for status in ("all", "canceled", "ended"):
        found = subscriptions.list({"customer": shop.customer, "status": status}).data
        assert [s.id for s in found] == [subscribed.id], status
    assert shop.event_types()[-1] == "customer.subscription.deleted"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        subscriptions.cancel(subscribed.id)
    assert caught.value.http_status == 404
    with pytest.raises(stripe.InvalidRequestError):
        subscriptions.update(subscribed.id, {"cancel_at_period_end": True})


def test_cancel_at_period_end_is_scheduled_taken_back_and_kept(shop: Any, subscribed: Any) -> None:
    subscriptions = shop.client.v1.subscriptions
    end = subscribed["items"].data[0].current_period_end
    scheduled = subscriptions.update(subscribed.id, {"cancel_at_period_end": True})
    assert (scheduled.status, scheduled.cancel_at) == ("active", end)
    (event,) = shop.client.v1.events.list({"type": "customer.subscription.updated"}).data
    assert event.data.previous_attributes.cancel_at_period_end is False
    taken_back = subscriptions.update(subscribed.id, {"cancel_at_period_end": False})
    assert (taken_back.cancel_at, taken_back.canceled_at) == (None, None)
    subscriptions.update(subscribed.id, {"cancel_at_period_end": True})
    shop.double.call(lambda control: control.advance(32 * DAY))
    ended = subscriptions.retrieve(subscribed.id)
    assert (ended.status, ended.ended_at) == ("canceled", end)
    (deleted,) = shop.client.v1.events.list({"type": "customer.subscription.deleted"}).data
    assert (deleted.created, deleted.request.id) == (end, None)
    assert len(shop.client.v1.invoices.list().data) == 1


def test_metadata_changes_are_announced_and_no_change_is_not(shop: Any, subscribed: Any) -> None:
    before = shop.event_types()
    shop.client.v1.subscriptions.update(subscribed.id, {"metadata": {"entity": "42"}})
    assert shop.event_types() == before
    shop.client.v1.subscriptions.update(subscribed.id, {"metadata": {"plan": "pro"}})
    assert shop.event_types() == [*before, "customer.subscription.updated"]


def test_the_clock_renews_every_period(shop: Any, subscribed: Any) -> None:
    first_end = subscribed["items"].data[0].current_period_end
    shop.double.call(lambda control: control.advance(first_end - subscribed.created + 60))
    (draft, _) = shop.client.v1.invoices.list({"subscription": subscribed.id}).data
    assert (draft.status, draft.billing_reason) == ("draft", "subscription_cycle")
    shop.double.call(lambda control: control.advance(3600))
    paid = shop.client.v1.invoices.retrieve(draft.id)
    assert (paid.status, paid.lines.data[0].period.start) == ("paid", first_end)
    renewed = shop.client.v1.subscriptions.retrieve(subscribed.id)
    assert renewed["items"].data[0].current_period_start == first_end
    assert renewed.latest_invoice == draft.id
    shop.double.call(lambda control: control.advance(95 * DAY))
    assert len(shop.client.v1.invoices.list({"status": "paid"}).data) == 5
    assert len(shop.double.ledger("charge", outcome="succeeded")) == 5


def test_a_refused_renewal_is_past_due_and_recovers(shop: Any, subscribed: Any) -> None:
    failed = shop.double.call(
        lambda control: control.renew(subscribed.id, decline_code="insufficient_funds")
    )
    assert (failed["status"], failed["attempt_count"]) == ("open", 1)
    assert failed["next_payment_attempt"] is not None
    assert shop.client.v1.subscriptions.retrieve(subscribed.id).status == "past_due"
    types = shop.event_types()
    assert types.count("invoice.payment_failed") == 1
    assert types.count("charge.failed") == types.count("payment_intent.payment_failed") == 1
    assert types[-1] == "customer.subscription.updated"
    shop.double.call(lambda control: control.collect(failed["id"]))
    assert shop.client.v1.subscriptions.retrieve(subscribed.id).status == "active"
    assert shop.client.v1.invoices.retrieve(failed["id"]).attempt_count == 2


def test_a_bank_that_keeps_refusing_ends_the_subscription(shop: Any, subscribed: Any) -> None:
    card = subscribed.default_payment_method
    shop.double.call(lambda control: control.change_bank(card, decline_code="generic_decline"))
    shop.double.call(lambda control: control.advance(31 * DAY + 4000))
    assert shop.client.v1.subscriptions.retrieve(subscribed.id).status == "past_due"
    shop.double.call(lambda control: control.advance(3 * DAY))
    (invoice, _) = shop.client.v1.invoices.list().data
    assert invoice.attempt_count == 2
    shop.double.call(lambda control: control.advance(12 * DAY))
    ended = shop.client.v1.subscriptions.retrieve(subscribed.id)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "payment_failed")
    assert len(shop.double.ledger("charge", outcome="declined")) == 4


def test_a_renewal_is_possible_now_and_pays(shop: Any, subscribed: Any) -> None:
    invoice = shop.double.call(lambda control: control.renew(subscribed.id))
    assert invoice["status"] == "paid"
    assert shop.event_types().count("invoice.paid") == 2


def test_a_deleted_customer_s_subscriptions_end(shop: Any, subscribed: Any) -> None:
    shop.client.v1.customers.delete(shop.customer)
    assert shop.client.v1.subscriptions.retrieve(subscribed.id).status == "canceled"


def test_subscriptions_and_invoices_are_filtered(shop: Any, subscribed: Any) -> None:
    v1 = shop.client.v1
    assert [s.id for s in v1.subscriptions.list({"price": shop.price}).data] == [subscribed.id]
    assert v1.subscriptions.list({"price": "price_none"}).data == []
    assert v1.subscriptions.list({"status": "past_due"}).data == []
    assert len(v1.invoices.list({"customer": shop.customer, "status": "paid"}).data) == 1
    assert v1.invoices.list({"customer": "cus_none"}).data == []
    assert len(v1.charges.list({"customer": shop.customer}).data) == 1
    assert len(v1.payment_intents.list({"customer": shop.customer}).data) == 1
    assert len(v1.payment_methods.list({"customer": shop.customer, "type": "card"}).data) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"billing_thresholds": {"amount_gte": 500}},
        {"default_tax_rates": ["txr_1"]},
        {"trial_from_plan": True},
    ],
)
def test_changes_that_are_not_modelled_fail_loudly(
    shop: Any, subscribed: Any, changes: Any
) -> None:
    with pytest.raises(stripe.APIError) as caught:
        shop.client.v1.subscriptions.update(subscribed.id, changes)
    assert caught.value.http_status == 501
