"""What buyers, banks and networks do later: authentication, debits, disputes, refunds."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

from stripe_double.engine.errors import ApiError


def paid(client: Any, method: str = "pm_card_visa", **more: Any) -> Any:
    params = {"amount": 2000, "currency": "usd", "payment_method": method, "confirm": True}
    return client.v1.payment_intents.create({**params, **more})


def types(client: Any) -> list[str]:
    return [e.type for e in reversed(client.v1.events.list({"limit": 100}).data)]


def test_the_buyer_proves_who_he_is(client: Any, double: Any) -> None:
    intent = paid(client, "pm_card_authenticationRequired", return_url="http://shop.test/back")
    assert (intent.status, intent.latest_charge) == ("requires_action", None)
    where = intent.next_action.redirect_to_url
    assert where.return_url == "http://shop.test/back"
    with httpx.Client(trust_env=False) as browser:
        page = browser.get(where.url)
        assert page.status_code == 200
        assert "$20.00" in page.text
        back = browser.post(f"{where.url}/complete")
        assert back.status_code == 303
        assert back.headers["location"].startswith(
            f"http://shop.test/back?payment_intent={intent.id}&"
        )
        assert back.headers["location"].endswith("&redirect_status=succeeded")
        assert browser.get(where.url).status_code == 409
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_the_buyer_does_not_and_pays_with_another_card(client: Any, double: Any) -> None:
    intent = paid(client, "pm_card_authenticationRequired")
    double.call(lambda control: control.authenticate(intent.id, succeeds=False))
    failed = client.v1.payment_intents.retrieve(intent.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error.decline_code == "payment_intent_authentication_failure"
    assert double.ledger("charge") == []
    with pytest.raises(ApiError, match="asks nothing"):
        double.call(lambda control: control.authenticate(intent.id))
    after = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert after.status == "succeeded"


def test_a_card_set_up_once_needs_no_buyer_later(client: Any, double: Any) -> None:
    customer = client.v1.customers.create({})
    setup = client.v1.setup_intents.create(
        {
            "customer": customer.id,
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "confirm": True,
        }
    )
    assert setup.status == "requires_action"
    double.call(lambda control: control.authenticate(setup.id))
    ready = client.v1.setup_intents.retrieve(setup.id)
    assert ready.status == "succeeded"
    later = paid(client, ready.payment_method, customer=customer.id, off_session=True)
    assert later.status == "succeeded"


def test_a_card_that_always_asks_is_refused_when_nobody_is_there(client: Any) -> None:
    customer = client.v1.customers.create({})
    method = client.v1.payment_methods.attach(
        "pm_card_authenticationRequired", {"customer": customer.id}
    )
    with pytest.raises(stripe.CardError) as caught:
        paid(client, method.id, customer=customer.id, off_session=True)
    assert caught.value.code == "authentication_required"
    with pytest.raises(stripe.CardError) as caught:
        paid(client, "pm_card_authenticationRequired", error_on_requires_action=True)
    assert caught.value.error.payment_intent.status == "requires_payment_method"


def test_a_session_paid_by_debit_tells_the_end_later(shop: Any) -> None:
    for account, event, status in (
        ("pm_usBankAccount_success", "checkout.session.async_payment_succeeded", "paid"),
        ("pm_usBankAccount_noAccount", "checkout.session.async_payment_failed", "unpaid"),
    ):
        line = {
            "price_data": {"currency": "usd", "unit_amount": 700, "product_data": {"name": "Book"}},
            "quantity": 1,
        }
        session = shop.session(
            mode="payment",
            line_items=[line],
            allowed_payment_method_types=["card", "us_bank_account"],
        )
        shop.client.raw_request(
            "post",
            f"/v1/payment_pages/{session.id}/confirm",
            payment_method=account,
            expected_amount=700,
        )
        done = shop.client.v1.checkout.sessions.retrieve(session.id)
        assert (done.status, done.payment_status) == ("complete", "unpaid")
        shop.double.call(lambda control: control.advance(10))
        after = shop.client.v1.checkout.sessions.retrieve(session.id)
        assert after.payment_status == status
        assert shop.event_types()[-1] == event


def test_a_subscription_paid_by_debit_follows_its_bank(shop: Any) -> None:
    session = shop.session(allowed_payment_method_types=["us_bank_account"])
    shop.client.raw_request(
        "post",
        f"/v1/payment_pages/{session.id}/confirm",
        payment_method="pm_usBankAccount_success",
        expected_amount=1200,
    )
    done = shop.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["invoice"]})
    assert (done.payment_status, done.invoice.status) == ("unpaid", "open")
    shop.double.call(lambda control: control.advance(10))
    after = shop.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["invoice"]})
    assert (after.payment_status, after.invoice.status) == ("paid", "paid")
    assert shop.event_types()[-1] == "checkout.session.async_payment_succeeded"
    assert shop.client.v1.subscriptions.retrieve(after.subscription).status == "active"


def test_a_trial_keeps_a_card_that_its_bank_lets_keep(shop: Any) -> None:
    trial = {"subscription_data": {"trial_period_days": 3}}
    refused = shop.session(**trial)
    with pytest.raises(ApiError) as caught:
        shop.double.call(lambda control: control.pay(refused.id, card="4000000000000002"))
    assert caught.value.status == 402
    assert shop.client.v1.checkout.sessions.retrieve(refused.id).status == "open"
    bought = {}
    for card in ("4000000000000341", "4000002500003155"):
        session = shop.session(**trial)
        paid = shop.double.call(lambda control, s=session.id, c=card: control.pay(s, card=c))
        bought[card] = paid["subscription"]
    shop.double.call(lambda control: control.advance(4 * 86_400))
    statuses = [shop.client.v1.subscriptions.retrieve(one).status for one in bought.values()]
    assert statuses == ["past_due", "active"]
    invoice = shop.client.v1.invoices.list({"subscription": bought["4000002500003155"]}).data[0]
    assert (invoice.status, invoice.amount_paid) == ("paid", 1200)


def test_the_first_invoice_waits_for_the_buyer(client: Any, double: Any) -> None:
    method = "pm_card_authenticationRequired"
    customer = client.v1.customers.create(
        {"payment_method": method, "invoice_settings": {"default_payment_method": method}}
    )
    price = double.call(lambda control: control.seed_catalog())["price"]["id"]
    subscription = client.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": price}],
            "expand": ["latest_invoice.payments"],
        }
    )
    assert subscription.status == "incomplete"
    intent = subscription.latest_invoice.payments.data[0].payment.payment_intent
    assert client.v1.payment_intents.retrieve(intent).status == "requires_action"
    double.call(lambda control: control.authenticate(intent))
    after = client.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    assert (after.status, after.latest_invoice.status) == ("active", "paid")


def test_a_charge_is_disputed_and_decided_from_outside(client: Any, double: Any) -> None:
    intent = paid(client)
    opened = double.call(lambda control: control.dispute_charge(intent.latest_charge, amount=500))
    assert client.v1.charges.retrieve(intent.latest_charge).disputed
    double.call(lambda control: control.end_dispute(opened["id"], ending="lost"))
    lost = client.v1.disputes.retrieve(opened["id"])
    assert (lost.status, lost.amount) == ("lost", 500)
    with pytest.raises(ApiError, match="disputed once"):
        double.call(lambda control: control.dispute_charge(intent.latest_charge))
    net = sum(t.net for t in client.v1.balance_transactions.list().data)
    assert net == 2000 - 88 - 500 - 1500


def test_a_warning_and_a_refund_by_control(client: Any, double: Any) -> None:
    intent = paid(client)
    double.call(lambda control: control.warn_of_fraud(intent.latest_charge))
    assert client.v1.radar.early_fraud_warnings.list().data[0].fraud_type == "misc"
    double.call(lambda c: c.set_bank(intent.payment_method, refunds="requires_action"))
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == "requires_action"
    assert client.v1.refunds.cancel(refund.id).status == "canceled"
    assert client.v1.charges.retrieve(intent.latest_charge).amount_refunded == 0
    double.call(lambda c: c.set_bank(intent.payment_method, refunds="succeeded"))
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    double.call(lambda control: control.end_refund(refund.id, ending="failed"))
    assert client.v1.refunds.retrieve(refund.id).failure_reason == "expired_or_canceled_card"
    assert types(client)[-1] == "refund.failed"
    with pytest.raises(ApiError):
        double.call(lambda control: control.end_refund(refund.id, ending="succeeded"))


def test_the_same_by_http(client: Any, double: Any) -> None:
    intent = paid(client)
    with httpx.Client(base_url=f"{double.url}/_double", trust_env=False) as control:
        path = f"/charges/{intent.latest_charge}/dispute"
        answer = control.post(path, json={"reason": "product_not_received", "inquiry": True})
        assert answer.json()["status"] == "warning_needs_response"
        ended = control.post(f"/disputes/{answer.json()['id']}/end", json={"ending": "closed"})
        assert ended.json()["status"] == "warning_closed"
        wrong = control.post(f"/disputes/{answer.json()['id']}/end", json={"ending": "maybe"})
        assert wrong.status_code == 400


def test_a_payment_method_belongs_to_one_customer_and_is_spent_when_detached(client: Any) -> None:
    first, second = (client.v1.customers.create({}) for _ in range(2))
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": first.id})
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        client.v1.payment_methods.attach(method.id, {"customer": second.id})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.update(
            second.id, {"invoice_settings": {"default_payment_method": method.id}}
        )
    client.v1.customers.update(
        first.id, {"invoice_settings": {"default_payment_method": method.id}}
    )
    listed = client.v1.customers.payment_methods.list(first.id).data
    assert [found.id for found in listed] == [method.id]
    shown = client.v1.customers.payment_methods.retrieve(first.id, method.id)
    assert shown.customer == first.id
    client.v1.payment_methods.detach(method.id)
    assert client.v1.customers.retrieve(first.id).invoice_settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        client.v1.payment_methods.attach(method.id, {"customer": second.id})
    with pytest.raises(stripe.CardError):
        client.v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": first.id})
    kept = client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": first.id})
    with pytest.raises(stripe.CardError):
        paid(client, kept.id, customer=first.id)


def test_a_customers_balance_is_a_sum_of_transactions(client: Any) -> None:
    customer = client.v1.customers.create({"balance": -500})
    client.v1.customers.balance_transactions.create(
        customer.id, {"amount": 200, "currency": "usd", "description": "debt"}
    )
    client.v1.customers.update(customer.id, {"balance": 100})
    found = client.v1.customers.balance_transactions.list(customer.id).data
    assert [(one.type, one.amount, one.ending_balance) for one in found] == [
        ("adjustment", 400, 100),
        ("adjustment", 200, -300),
        ("initial", -500, -500),
    ]
    assert client.v1.customers.retrieve(customer.id).balance == 100
    one = client.v1.customers.balance_transactions.update(
        customer.id, found[0].id, {"description": "goodwill"}
    )
    assert one.description == "goodwill"
