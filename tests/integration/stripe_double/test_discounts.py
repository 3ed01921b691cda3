"""Coupons, promotion codes, and what they take off subscriptions and their invoices."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

MONTH = 31 * 86_400


@pytest.fixture
def buyer(client: Any) -> Any:
    return client.v1.customers.create(
        {
            "payment_method": "pm_card_visa",
            "invoice_settings": {"default_payment_method": "pm_card_visa"},
        }
    )


@pytest.fixture
def price(double: Any) -> str:
    seeded = double.call(lambda control: control.seed_catalog(unit_amount=1000))
    return str(seeded["price"]["id"])


def subscribe(client: Any, buyer: Any, price: str, **more: Any) -> Any:
    return client.v1.subscriptions.create(
        {
            "customer": buyer.id,
            "items": [{"price": price, "quantity": 3}],
            "expand": ["latest_invoice"],
            **more,
        }
    )


def types(client: Any) -> list[str]:
    return [e.type for e in reversed(client.v1.events.list({"limit": 100}).data)]


def totals(client: Any, subscription: Any) -> list[int]:
    found = client.v1.invoices.list({"subscription": subscription.id}).data
    return [invoice.total for invoice in reversed(found)]


def test_a_coupon_is_worth_a_percentage_or_an_amount(client: Any) -> None:
    coupon = client.v1.coupons.create({"percent_off": 12.5, "name": "Early"})
    assert (coupon.duration, coupon.valid, coupon.percent_off) == ("once", True, 12.5)
    for params in (
        {},
        {"percent_off": 10, "amount_off": 100, "currency": "usd"},
        {"percent_off": 101},
        {"amount_off": 100},
        {"percent_off": 10, "duration": "repeating"},
        {"percent_off": 10, "id": coupon.id},
    ):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.coupons.create(params)
    assert client.v1.coupons.update(coupon.id, {"name": ""}).name is None
    assert client.v1.coupons.delete(coupon.id).deleted
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.coupons.retrieve(coupon.id)


def test_for_ever_lowers_every_invoice(client: Any, double: Any, buyer: Any, price: str) -> None:
    coupon = client.v1.coupons.create({"percent_off": 25, "duration": "forever"})
    bought = subscribe(client, buyer, price, discounts=[{"coupon": coupon.id}])
    invoice = bought.latest_invoice
    assert (invoice.subtotal, invoice.total, invoice.amount_paid) == (3000, 2250, 2250)
    assert invoice.total_discount_amounts[0].amount == 750
    assert invoice.lines.data[0].discount_amounts[0].amount == 750
    double.call(lambda control: control.renew(bought.id))
    assert totals(client, bought) == [2250, 2250]
    assert client.v1.coupons.retrieve(coupon.id).times_redeemed == 1
    paid = double.ledger("charge", outcome="succeeded")
    assert [charge["amount"] for charge in paid] == [2250, 2250]
    shown = client.v1.subscriptions.retrieve(bought.id, {"expand": ["discounts"]})
    assert shown.discounts[0].source.coupon == coupon.id


def test_once_lowers_the_first_invoice_only(
    client: Any, double: Any, buyer: Any, price: str
) -> None:
    coupon = client.v1.coupons.create({"amount_off": 500, "currency": "usd"})
    bought = subscribe(client, buyer, price, discounts=[{"coupon": coupon.id}])
    double.call(lambda control: control.renew(bought.id))
    assert totals(client, bought) == [2500, 3000]
    assert client.v1.subscriptions.retrieve(bought.id).discounts == []
    assert "customer.discount.deleted" in types(client)


def test_repeating_lowers_as_many_months_as_it_says(
    client: Any, double: Any, buyer: Any, price: str
) -> None:
    coupon = client.v1.coupons.create(
        {"percent_off": 50, "duration": "repeating", "duration_in_months": 2}
    )
    bought = subscribe(client, buyer, price, discounts=[{"coupon": coupon.id}])
    double.call(lambda control: control.advance(3 * MONTH))
    assert totals(client, bought)[:3] == [1500, 1500, 3000]


def test_all_off_asks_for_nothing(client: Any, double: Any, buyer: Any, price: str) -> None:
    coupon = client.v1.coupons.create({"percent_off": 100, "duration": "once"})
    bought = subscribe(client, buyer, price, discounts=[{"coupon": coupon.id}])
    assert (bought.status, bought.latest_invoice.status) == ("active", "paid")
    assert double.ledger("charge") == []


def test_a_discount_is_replaced_and_removed(client: Any, buyer: Any, price: str) -> None:
    half = client.v1.coupons.create({"percent_off": 50, "duration": "forever"})
    tenth = client.v1.coupons.create({"percent_off": 10, "duration": "forever"})
    bought = subscribe(client, buyer, price, discounts=[{"coupon": half.id}])
    changed = client.v1.subscriptions.update(
        bought.id, {"discounts": [{"coupon": tenth.id}], "expand": ["discounts"]}
    )
    assert [discount.source.coupon for discount in changed.discounts] == [tenth.id]
    same = client.v1.subscriptions.update(
        bought.id, {"discounts": [{"discount": changed.discounts[0].id}]}
    )
    assert len(same.discounts) == 1
    assert client.v1.subscriptions.update(bought.id, {"discounts": ""}).discounts == []
    removed = [name for name in types(client) if name.startswith("customer.discount")]
    assert removed == [
        "customer.discount.created",
        "customer.discount.deleted",
        "customer.discount.created",
        "customer.discount.deleted",
    ]


def test_a_percentage_lowers_what_a_change_costs_and_what_it_gives_back(
    client: Any, double: Any, buyer: Any, price: str
) -> None:
    coupon = client.v1.coupons.create({"percent_off": 50, "duration": "forever"})
    bought = subscribe(client, buyer, price, discounts=[{"coupon": coupon.id}])
    item = bought["items"].data[0].id
    for quantity, asked in ((9, 3000), (3, 0)):
        after = client.v1.subscriptions.update(
            bought.id,
            {
                "items": [{"id": item, "quantity": quantity}],
                "proration_behavior": "always_invoice",
                "expand": ["latest_invoice"],
            },
        )
        assert after.latest_invoice.amount_due == asked
    assert client.v1.customers.retrieve(buyer.id).balance == -3000
    paid = double.ledger("charge", outcome="succeeded")
    assert [charge["amount"] for charge in paid] == [1500, 3000]


def test_a_fixed_amount_off_the_rest_of_a_period_is_not_modelled(
    client: Any, buyer: Any, price: str
) -> None:
    coupon = client.v1.coupons.create({"amount_off": 100, "currency": "usd", "duration": "forever"})
    bought = subscribe(client, buyer, price, discounts=[{"coupon": coupon.id}])
    change = {"items": [{"id": bought["items"].data[0].id, "quantity": 9}]}
    with pytest.raises(stripe.APIError) as caught:
        client.v1.subscriptions.update(bought.id, change)
    assert caught.value.http_status == 501
    client.v1.subscriptions.update(bought.id, {**change, "proration_behavior": "none"})


def test_a_promotion_code_has_rules_of_its_own(client: Any, buyer: Any, price: str) -> None:
    coupon = client.v1.coupons.create({"percent_off": 50, "max_redemptions": 5})
    promotion = {"type": "coupon", "coupon": coupon.id}
    code = client.v1.promotion_codes.create(
        {
            "promotion": promotion,
            "code": "SPRING",
            "max_redemptions": 1,
            "restrictions": {"minimum_amount": 2000, "minimum_amount_currency": "usd"},
        }
    )
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        client.v1.promotion_codes.create({"promotion": promotion, "code": "spring"})
    bought = subscribe(client, buyer, price, discounts=[{"promotion_code": code.id}])
    assert bought.latest_invoice.total == 1500
    assert client.v1.coupons.retrieve(coupon.id).times_redeemed == 1
    used = client.v1.promotion_codes.retrieve(code.id)
    assert (used.active, used.times_redeemed) == (False, 1)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        subscribe(client, buyer, price, discounts=[{"promotion_code": code.id}])
    assert caught.value.code == "promotion_code_expired"
    small = client.v1.promotion_codes.create(
        {
            "promotion": promotion,
            "restrictions": {"minimum_amount": 9000, "minimum_amount_currency": "usd"},
        }
    )
    with pytest.raises(stripe.InvalidRequestError) as caught:
        subscribe(client, buyer, price, discounts=[{"promotion_code": small.id}])
    assert caught.value.code == "promotion_code_minimum_amount"
    first_time = client.v1.promotion_codes.create(
        {"promotion": promotion, "restrictions": {"first_time_transaction": True}}
    )
    with pytest.raises(stripe.InvalidRequestError) as caught:
        subscribe(client, buyer, price, discounts=[{"promotion_code": first_time.id}])
    assert caught.value.code == "customer_has_prior_transactions"


def test_a_coupon_runs_out_by_the_clock_and_by_its_number(
    client: Any, double: Any, buyer: Any, price: str
) -> None:
    now = double.call(lambda control: control.advance(0))
    short = client.v1.coupons.create({"percent_off": 5, "redeem_by": now + 60})
    few = client.v1.coupons.create({"percent_off": 5, "max_redemptions": 1})
    subscribe(client, buyer, price, discounts=[{"coupon": few.id}])
    double.call(lambda control: control.advance(61))
    for coupon in (short, few):
        assert not client.v1.coupons.retrieve(coupon.id).valid
        with pytest.raises(stripe.InvalidRequestError) as caught:
            subscribe(client, buyer, price, discounts=[{"coupon": coupon.id}])
        assert caught.value.code == "coupon_expired"


def test_a_session_hands_its_coupon_to_the_subscription(
    client: Any, double: Any, price: str
) -> None:
    customer = client.v1.customers.create({"email": "a@example.com"})
    coupon = client.v1.coupons.create({"percent_off": 20, "duration": "forever"})
    session = client.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "customer": customer.id,
            "line_items": [{"price": price, "quantity": 1}],
            "success_url": "http://shop.test/ok",
            "discounts": [{"coupon": coupon.id}],
        }
    )
    assert (session.amount_subtotal, session.amount_total) == (1000, 800)
    double.call(lambda control: control.pay(session.id))
    done = client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["invoice", "subscription.discounts"]}
    )
    assert (done.payment_status, done.invoice.total, done.invoice.amount_paid) == ("paid", 800, 800)
    assert done.subscription.discounts[0].checkout_session == session.id
    assert client.v1.coupons.retrieve(coupon.id).times_redeemed == 1
    double.call(lambda control: control.renew(done.subscription.id))
    assert totals(client, done.subscription) == [800, 800]
