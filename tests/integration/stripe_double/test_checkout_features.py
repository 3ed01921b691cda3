"""Checkout beyond the plain purchase: set-up, other places, discounts, guests, invoices."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

BOOK = {
    "price_data": {"currency": "usd", "unit_amount": 1000, "product_data": {"name": "Book"}},
    "quantity": 2,
}


def paying(shop: Any, **changes: Any) -> Any:
    """A session in payment mode."""
    return shop.session(**{"mode": "payment", "line_items": [BOOK], **changes})


def post(shop: Any, session: Any, step: str, **form: Any) -> httpx.Response:
    return httpx.post(f"{shop.double.url}/c/pay/{session.id}/{step}", data=form)


def again(shop: Any, session: Any, **params: Any) -> Any:
    return shop.client.v1.checkout.sessions.retrieve(session.id, params)


def refused(shop: Any, **changes: Any) -> Any:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.session(**changes)
    assert caught.value.http_status == 400
    return caught.value


def test_setup_mode_saves_a_card_and_charges_nothing(shop: Any) -> None:
    session = shop.session(
        mode="setup",
        currency="usd",
        line_items=None,
        setup_intent_data={"metadata": {"k": "v"}},
    )
    assert (session.amount_total, session.payment_status) == (None, "no_payment_required")
    intent = shop.client.v1.setup_intents.retrieve(session.setup_intent)
    assert (intent.status, intent.metadata.to_dict()) == ("requires_payment_method", {"k": "v"})
    assert "Nothing is charged" in httpx.get(session.url).text
    assert post(shop, session, "decline").status_code == 402
    assert post(shop, session, "pay").status_code == 303
    after = again(shop, session, expand=["setup_intent"])
    assert (after.status, after.setup_intent.status) == ("complete", "succeeded")
    method = shop.client.v1.payment_methods.retrieve(after.setup_intent.payment_method)
    assert method.customer == shop.customer
    assert shop.double.ledger("charge", outcome="succeeded") == []
    assert refused(shop, mode="setup", line_items=None).param == "currency"
    assert refused(shop, mode="setup", currency="usd").param == "line_items"


def test_an_expired_setup_takes_its_intent_with_it(shop: Any) -> None:
    session = shop.session(mode="setup", currency="usd", line_items=None)
    shop.client.v1.checkout.sessions.expire(session.id)
    assert shop.client.v1.setup_intents.retrieve(session.setup_intent).status == "canceled"


@pytest.mark.parametrize("ui_mode", ["embedded_page", "elements", "form"])
def test_other_places_have_a_client_secret_and_no_url(shop: Any, ui_mode: str) -> None:
    place = {"ui_mode": ui_mode, "success_url": None, "cancel_url": None}
    session = shop.session(**place, return_url="http://shop.test/back?s={CHECKOUT_SESSION_ID}")
    assert (session.url, session.ui_mode) == (None, ui_mode)
    assert session.client_secret.startswith(session.id)
    answer = post(shop, session, "pay")
    assert answer.headers["location"] == f"http://shop.test/back?s={session.id}"
    assert refused(shop, **place).param == "return_url"
    hosted = refused(shop, ui_mode=ui_mode, return_url="http://shop.test/")
    assert hosted.param == "success_url"


def test_addresses_are_checked_by_place(shop: Any) -> None:
    assert refused(shop, return_url="http://shop.test/").param == "return_url"
    assert refused(shop, success_url="shop").param == "success_url"


def test_a_coupon_makes_a_payment_smaller_and_is_redeemed(shop: Any) -> None:
    coupon = shop.client.v1.coupons.create({"percent_off": 25, "duration": "once"})
    session = paying(shop, discounts=[{"coupon": coupon.id}])
    assert (session.amount_subtotal, session.amount_total) == (2000, 1500)
    assert session.total_details.amount_discount == 500
    assert [discount.coupon for discount in session.discounts] == [coupon.id]
    (line,) = shop.client.v1.checkout.sessions.line_items.list(session.id).data
    assert (line.amount_discount, line.amount_total) == (500, 1500)
    post(shop, session, "pay")
    intent = shop.client.v1.payment_intents.retrieve(again(shop, session).payment_intent)
    assert intent.amount_received == 1500
    assert shop.client.v1.coupons.retrieve(coupon.id).times_redeemed == 1


def test_a_buyer_types_a_promotion_code(shop: Any) -> None:
    coupon = shop.client.v1.coupons.create(
        {"amount_off": 300, "currency": "usd", "duration": "once"}
    )
    code = shop.client.v1.promotion_codes.create(
        {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "SAVE3"}
    )
    session = paying(shop, allow_promotion_codes=True)
    assert "invalid" in post(shop, session, "code", code="NONE").text
    assert post(shop, session, "code", code="save3").status_code == 303
    after = again(shop, session)
    assert (after.amount_total, after.discounts[0].promotion_code) == (1700, code.id)
    assert "$17.00" in httpx.get(session.url).text
    post(shop, session, "code", code="")
    assert again(shop, session).amount_total == 2000
    post(shop, session, "code", code="SAVE3")
    post(shop, session, "pay")
    assert shop.client.v1.promotion_codes.retrieve(code.id).times_redeemed == 1
    (noted,) = shop.double.ledger("charge", outcome="succeeded")
    assert noted["amount"] == 1700
    plain = paying(shop)
    assert post(shop, plain, "code", code="SAVE3").status_code == 400


def test_a_free_order_needs_no_card(shop: Any) -> None:
    coupon = shop.client.v1.coupons.create({"percent_off": 100, "duration": "once"})
    session = paying(shop, discounts=[{"coupon": coupon.id}])
    post(shop, session, "pay", card="none")
    after = again(shop, session)
    assert (after.payment_status, after.payment_intent) == ("no_payment_required", None)


def test_the_buyer_changes_an_adjustable_quantity(shop: Any) -> None:
    line = {**BOOK, "adjustable_quantity": {"enabled": True, "minimum": 1, "maximum": 5}}
    session = paying(shop, line_items=[line, BOOK])
    items = shop.client.v1.checkout.sessions.line_items.list(session.id).data
    adjustable = next(item for item in items if item.adjustable_quantity)
    fixed = next(item for item in items if not item.adjustable_quantity)
    assert post(shop, session, "quantity", item=adjustable.id, quantity="4").status_code == 303
    assert again(shop, session).amount_total == 6000
    for item, quantity in ((adjustable.id, "6"), (adjustable.id, "0"), (fixed.id, "1")):
        assert post(shop, session, "quantity", item=item, quantity=quantity).status_code == 400
    post(shop, session, "pay")
    (noted,) = shop.double.ledger("charge", outcome="succeeded")
    assert noted["amount"] == 6000
    bad = {"enabled": True, "minimum": 3, "maximum": 5}
    wrong = refused(shop, mode="payment", line_items=[{**BOOK, "adjustable_quantity": bad}])
    assert wrong.param == "line_items[0][adjustable_quantity]"


def test_a_guest_pays_without_becoming_a_customer(shop: Any) -> None:
    guest = paying(shop, customer=None)
    assert guest.customer_creation == "if_required"
    post(shop, guest, "pay", email="guest@example.com")
    after = again(shop, guest)
    assert (after.customer, after.customer_details.email) == (None, "guest@example.com")
    intent = shop.client.v1.payment_intents.retrieve(after.payment_intent)
    assert (intent.status, intent.customer) == ("succeeded", None)
    kept = paying(shop, customer=None, customer_creation="always")
    post(shop, kept, "pay", email="new@example.com")
    customer = shop.client.v1.customers.retrieve(again(shop, kept).customer)
    assert customer.email == "new@example.com"
    assert refused(shop, customer_creation="always").http_status == 400


def test_a_payment_with_an_invoice(shop: Any) -> None:
    creation = {"enabled": True, "invoice_data": {"metadata": {"a": "b"}, "footer": "Thanks"}}
    session = paying(shop, invoice_creation=creation, payment_intent_data={"metadata": {"c": "d"}})
    post(shop, session, "pay")
    after = again(shop, session)
    invoice = shop.client.v1.invoices.retrieve(after.invoice, {"expand": ["payments"]})
    assert (invoice.status, invoice.total, invoice.footer) == ("paid", 2000, "Thanks")
    assert invoice.metadata.to_dict() == {"a": "b"}
    (payment,) = invoice.payments.data
    assert payment.payment.payment_intent == after.payment_intent
    intent = shop.client.v1.payment_intents.retrieve(after.payment_intent)
    assert (intent.amount_received, intent.metadata.to_dict()) == (2000, {"c": "d"})
    assert after.payment_status == "paid"
    (noted,) = shop.double.ledger("charge", outcome="succeeded")
    assert noted["amount"] == 2000


def test_what_is_sold_once_goes_on_the_first_invoice(shop: Any) -> None:
    lines = [{"price": shop.price, "quantity": 1}, {**BOOK, "quantity": 1}]
    session = shop.session(line_items=lines)
    assert session.amount_total == 2200
    post(shop, session, "pay")
    after = again(shop, session)
    invoice = shop.client.v1.invoices.retrieve(after.invoice)
    assert (invoice.total, len(invoice.lines.data)) == (2200, 2)
    subscription = shop.client.v1.subscriptions.retrieve(after.subscription)
    assert [item.price.id for item in subscription["items"].data] == [shop.price]
    shop.double.call(lambda control: control.renew(after.subscription))
    assert shop.client.v1.invoices.list({"limit": 1}).data[0].total == 1200


@pytest.mark.parametrize("trial_days", [None, 7])
def test_a_coupon_counts_for_what_is_sold_once_too(shop: Any, trial_days: int | None) -> None:
    coupon = shop.client.v1.coupons.create({"percent_off": 50, "duration": "once"})
    lines = [{"price": shop.price, "quantity": 1}, {**BOOK, "quantity": 1}]
    data = {"subscription_data": {"trial_period_days": trial_days}} if trial_days else {}
    session = shop.session(line_items=lines, discounts=[{"coupon": coupon.id}], **data)
    assert session.amount_total == 1100
    post(shop, session, "pay")
    invoice = shop.client.v1.invoices.retrieve(again(shop, session).invoice)
    due = 500 if trial_days else 1100
    assert (invoice.total, invoice.status) == (due, "paid")
    charged = shop.double.ledger("charge", outcome="succeeded")
    assert [entry["amount"] for entry in charged] == [due]


def test_a_trial_may_start_without_a_card(shop: Any) -> None:
    session = shop.session(
        payment_method_collection="if_required",
        subscription_data={
            "trial_period_days": 7,
            "trial_settings": {"end_behavior": {"missing_payment_method": "cancel"}},
        },
    )
    post(shop, session, "pay", card="none")
    after = again(shop, session)
    subscription = shop.client.v1.subscriptions.retrieve(after.subscription)
    assert (subscription.status, subscription.default_payment_method) == ("trialing", None)
    shop.double.call(lambda control: control.advance(8 * 86_400))
    assert shop.client.v1.subscriptions.retrieve(after.subscription).status == "canceled"
    always = shop.session(subscription_data={"trial_period_days": 7})
    assert post(shop, always, "pay", card="none").status_code == 400


def test_a_bank_debit_completes_unpaid_and_is_told_later(shop: Any) -> None:
    types = ["card", "sepa_debit"]
    paid, failed = (paying(shop, allowed_payment_method_types=types) for _ in range(2))
    post(shop, paid, "pay", card="AT321904300235473204")
    post(shop, failed, "pay", card="AT051904300235473205")
    assert {again(shop, s).payment_status for s in (paid, failed)} == {"unpaid"}
    assert {again(shop, s).status for s in (paid, failed)} == {"complete"}
    shop.double.call(lambda control: control.advance(300))
    assert again(shop, paid).payment_status == "paid"
    assert again(shop, failed).payment_status == "unpaid"
    types = shop.event_types()
    assert types.count("checkout.session.async_payment_succeeded") == 1
    assert types.count("checkout.session.async_payment_failed") == 1
    card_only = paying(shop)
    assert post(shop, card_only, "pay", card="AT611904300234573201").status_code == 400


def test_the_name_may_be_taken_over_and_metadata_updated(shop: Any) -> None:
    session = shop.session(customer_update={"name": "auto"})
    post(shop, session, "pay", name="Countess Lovelace")
    assert shop.client.v1.customers.retrieve(shop.customer).name == "Countess Lovelace"
    sessions = shop.client.v1.checkout.sessions
    sessions.update(session.id, {"metadata": {"seen": "yes"}})
    assert again(shop, session).metadata.to_dict() == {"seen": "yes"}
    assert refused(shop, customer=None, customer_update={"name": "auto"}).param == "customer_update"


@pytest.mark.parametrize(
    "changes",
    [
        {"payment_method_collection": "if_required", "mode": "payment", "line_items": [BOOK]},
        {"invoice_creation": {"enabled": True}},
        {"setup_intent_data": {"description": "x"}},
        {"discounts": [{"coupon": "none"}], "mode": "payment", "line_items": [BOOK]},
        {"currency": "eur"},
        {
            "mode": "payment",
            "line_items": [BOOK],
            "allow_promotion_codes": True,
            "discounts": [{"coupon": "x"}],
        },
    ],
)
def test_what_does_not_go_together(shop: Any, changes: Any) -> None:
    refused(shop, **changes)
