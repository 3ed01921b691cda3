"""A Checkout Session from creation to payment, refusal or expiry."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe

DAY = 24 * 3600


def now(shop: Any) -> int:
    return int(shop.double.call(lambda control: control.advance(0)))


def test_an_open_session_has_made_nothing_yet(shop: Any) -> None:
    session = shop.session(
        client_reference_id="org-1", metadata={"a": "1"}, integration_identifier="holdfast"
    )
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert session.expires_at == session.created + DAY
    assert session.url == f"{shop.double.url}/c/pay/{session.id}"
    assert (session.subscription, session.invoice, session.payment_intent) == (None, None, None)
    assert (session.amount_total, session.currency) == (1200, "usd")
    assert session.client_reference_id == "org-1"
    assert shop.client.v1.subscriptions.list({"status": "all"}).data == []


def test_a_payment_makes_subscription_invoice_payment_and_charge(shop: Any) -> None:
    session = shop.bought(
        metadata={"of": "session"}, subscription_data={"metadata": {"of": "subscription"}}
    )
    assert (session.status, session.payment_status, session.url) == ("complete", "paid", None)
    subscription = shop.client.v1.subscriptions.retrieve(session.subscription)
    assert subscription.status == "active"
    assert subscription.metadata.to_dict() == {"of": "subscription"}
    item = subscription["items"].data[0]
    assert item.current_period_end > item.current_period_start == subscription.created
    assert "current_period_end" not in subscription
    invoice = shop.client.v1.invoices.retrieve(session.invoice)
    assert (invoice.status, invoice.billing_reason) == ("paid", "subscription_create")
    details = invoice.parent.subscription_details
    assert details.subscription == subscription.id
    assert details.metadata.to_dict() == {"of": "subscription"}
    assert invoice.lines.data[0].pricing.price_details.price == shop.price
    payments = shop.client.v1.invoice_payments.list({"invoice": invoice.id}).data
    intent = shop.client.v1.payment_intents.retrieve(payments[0].payment.payment_intent)
    assert (payments[0].status, intent.status, intent.amount_received) == (
        "paid",
        "succeeded",
        1200,
    )
    by_intent = {"payment": {"type": "payment_intent", "payment_intent": intent.id}}
    assert shop.client.v1.invoice_payments.list(by_intent).data[0].invoice == invoice.id
    charge = shop.client.v1.charges.retrieve(intent.latest_charge)
    assert charge.paid
    (noted,) = shop.double.ledger("charge")
    assert (noted["amount"], noted["subscription"]) == (1200, subscription.id)


def test_the_events_of_a_purchase_are_whole_and_their_snapshots_stay(shop: Any) -> None:
    session = shop.bought()
    types = shop.event_types()
    for wanted in (
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
        "payment_intent.succeeded",
        "charge.succeeded",
        "checkout.session.completed",
    ):
        assert types.count(wanted) == 1, wanted
    assert types[-1] == "checkout.session.completed"
    shop.client.v1.subscriptions.cancel(session.subscription)
    (created,) = shop.client.v1.events.list({"type": "customer.subscription.created"}).data
    assert created.data.object.status == "active"
    assert (created.request.id, created.request.idempotency_key) == (None, None)
    assert created.api_version == "2026-10-28.endive"


def test_events_name_the_request_that_caused_them(shop: Any) -> None:
    shop.client.v1.customers.create({}, {"idempotency_key": "my-key"})
    (event, _) = shop.client.v1.events.list({"type": "customer.created"}).data
    assert event.request.idempotency_key == "my-key"
    assert event.request.id.startswith("req_")


def test_a_person_pays_on_the_page(shop: Any) -> None:
    session = shop.session()
    page = httpx.get(session.url)
    assert page.status_code == 200
    assert "$12.00" in page.text
    assert "buyer@example.com" in page.text
    paid = httpx.post(f"{session.url}/pay", data={"card": "4242 4242 4242 4242"})
    assert paid.status_code == 303
    assert paid.headers["location"] == f"http://shop.test/ok?session={session.id}"
    assert shop.client.v1.checkout.sessions.retrieve(session.id).status == "complete"
    assert httpx.get(session.url).status_code == 409
    assert httpx.post(f"{session.url}/pay").status_code == 409
    assert len(shop.double.ledger("charge", outcome="succeeded")) == 1


def test_a_declined_card_leaves_nothing_and_the_session_open(shop: Any) -> None:
    session = shop.session()
    before = shop.event_types()
    declined = httpx.post(f"{session.url}/decline")
    assert declined.status_code == 402
    assert "declined" in declined.text
    short = httpx.post(f"{session.url}/pay", data={"card": "4000000000009995"})
    assert "insufficient funds" in short.text
    assert shop.event_types() == before
    assert shop.client.v1.subscriptions.list({"status": "all"}).data == []
    assert shop.client.v1.invoices.list().data == []
    assert shop.client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert len(shop.double.ledger("charge", outcome="declined")) == 2
    assert httpx.post(f"{session.url}/pay").status_code == 303


def test_a_person_goes_back(shop: Any) -> None:
    session = shop.session()
    assert httpx.get(f"{session.url}/back").headers["location"] == "http://shop.test/back"
    assert shop.client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert httpx.get(f"{shop.double.url}/c/pay/cs_none").status_code == 404


def test_a_new_customer_is_made_from_the_page(shop: Any) -> None:
    session = shop.session(customer=None)
    assert httpx.post(f"{session.url}/pay").status_code == 400
    httpx.post(f"{session.url}/pay", data={"email": "new@example.com", "name": "New"})
    paid = shop.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["customer"]})
    assert paid.customer.email == "new@example.com"
    assert paid.customer_details.email == "new@example.com"


def test_the_page_escapes_what_a_merchant_or_buyer_wrote(shop: Any) -> None:
    line = {
        "price_data": {
            "currency": "usd",
            "unit_amount": 100,
            "recurring": {"interval": "month"},
            "product_data": {"name": "<script>alert(1)</script>"},
        },
        "quantity": 1,
    }
    session = shop.session(line_items=[line])
    assert "<script>alert" not in httpx.get(session.url).text


def test_stripe_s_cli_paths_complete_a_session(shop: Any) -> None:
    session = shop.session()
    page = shop.client.raw_request("get", f"/v1/payment_pages/{session.id}")
    card = shop.client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    path = f"/v1/payment_pages/{shop.client.deserialize(page.data, api_mode='V1').id}/confirm"
    with pytest.raises(stripe.InvalidRequestError, match="expected amount"):
        shop.client.raw_request("post", path, payment_method=card.id, expected_amount=1)
    shop.client.raw_request("post", path, payment_method=card.id, expected_amount=1200)
    assert shop.client.v1.checkout.sessions.retrieve(session.id).status == "complete"


def test_payment_mode_makes_a_payment_intent_only(shop: Any) -> None:
    line = {
        "price_data": {"currency": "usd", "unit_amount": 700, "product_data": {"name": "Book"}},
        "quantity": 2,
    }
    session = shop.bought(
        mode="payment", line_items=[line], payment_intent_data={"metadata": {"k": "v"}}
    )
    intent = shop.client.v1.payment_intents.retrieve(session.payment_intent)
    assert (intent.amount, intent.status, intent.metadata.to_dict()) == (
        1400,
        "succeeded",
        {"k": "v"},
    )
    assert (session.subscription, session.invoice) == (None, None)
    found = shop.client.v1.checkout.sessions.list({"payment_intent": intent.id}).data
    assert [s.id for s in found] == [session.id]


def test_a_trial_asks_for_no_money_until_it_ends(shop: Any) -> None:
    session = shop.bought(subscription_data={"trial_period_days": 7})
    assert session.payment_status == "no_payment_required"
    subscription = shop.client.v1.subscriptions.retrieve(session.subscription)
    assert (subscription.status, subscription.trial_end) == (
        "trialing",
        subscription.created + 7 * DAY,
    )
    assert shop.double.ledger("charge") == []
    shop.double.call(lambda control: control.advance(7 * DAY + 3700))
    assert shop.client.v1.subscriptions.retrieve(subscription.id).status == "active"
    assert len(shop.double.ledger("charge", outcome="succeeded")) == 1


def test_an_open_session_is_expired_once(shop: Any) -> None:
    session = shop.session()
    expired = shop.client.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    with pytest.raises(stripe.InvalidRequestError, match="expired"):
        shop.client.v1.checkout.sessions.expire(session.id)
    (event,) = shop.client.v1.events.list({"type": "checkout.session.expired"}).data
    assert event.request.id is not None
    assert httpx.get(f"{shop.double.url}/c/pay/{session.id}").status_code == 410
    assert httpx.post(f"{shop.double.url}/c/pay/{session.id}/pay").status_code == 410


def test_a_completed_session_cannot_expire(shop: Any) -> None:
    session = shop.bought()
    with pytest.raises(stripe.InvalidRequestError, match="complete"):
        shop.client.v1.checkout.sessions.expire(session.id)
    shop.double.call(lambda control: control.advance(DAY + 1))
    assert shop.client.v1.checkout.sessions.retrieve(session.id).status == "complete"


def test_the_clock_expires_a_session_at_its_second(shop: Any) -> None:
    session = shop.session(expires_at=now(shop) + 1900)
    shop.double.call(lambda control: control.advance(1800))
    assert shop.client.v1.checkout.sessions.retrieve(session.id).status == "open"
    shop.double.call(lambda control: control.advance(200))
    assert shop.client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    (event,) = shop.client.v1.events.list({"type": "checkout.session.expired"}).data
    assert (event.created, event.request.id) == (session.expires_at, None)


@pytest.mark.parametrize("life_seconds", [60, 1790, DAY + 60])
def test_expires_at_is_between_half_an_hour_and_a_day(shop: Any, life_seconds: int) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.session(expires_at=now(shop) + life_seconds)
    assert caught.value.param == "expires_at"


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"mode": None}, "mode"),
        ({"success_url": None}, "success_url"),
        ({"line_items": None}, "line_items"),
        ({"line_items": [{"quantity": 1}]}, "line_items[0][price]"),
        ({"customer": "cus_none"}, "customer"),
        ({"customer_email": "a@b.c"}, None),
        ({"client_reference_id": "x" * 201}, "client_reference_id"),
        ({"payment_method_types": ["card"]}, "payment_method_types"),
        ({"payment_intent_data": {"description": "x"}}, "payment_intent_data"),
        ({"mode": "payment"}, "mode"),
    ],
)
def test_what_a_session_must_and_must_not_have(shop: Any, changes: Any, param: str | None) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.session(**changes)
    assert caught.value.http_status == 400
    if param is not None:
        assert caught.value.param == param
    assert shop.double.ledger("effect", object="checkout.session") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"after_expiration": {"recovery": {"enabled": True}}},
        {"tax_id_collection": {"enabled": True}},
        {"automatic_tax": {"enabled": True}},
        {"shipping_address_collection": {"allowed_countries": ["US"]}},
        {"allowed_payment_method_types": ["klarna"]},
        {"payment_method_options": {"card": {"request_three_d_secure": "any"}}},
        {"subscription_data": {"billing_mode": {"type": "classic"}}},
    ],
)
def test_what_is_not_modelled_fails_loudly(shop: Any, changes: Any) -> None:
    with pytest.raises(stripe.APIError) as caught:
        shop.session(**changes)
    assert caught.value.http_status == 501
    assert caught.value.error.code == "not_modelled_by_stripe_double"


def test_an_inactive_price_is_not_sold(shop: Any) -> None:
    shop.client.v1.prices.update(shop.price, {"active": False})
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        shop.session()


def test_sessions_are_found_by_customer_status_window_and_subscription(shop: Any) -> None:
    bought = shop.bought()
    shop.double.call(lambda control: control.advance(50))
    still_open = shop.session()
    other = shop.client.v1.customers.create({"email": "other@example.com"})
    others = shop.session(customer=other.id)

    def ids(**filters: Any) -> list[str]:
        return [s.id for s in shop.client.v1.checkout.sessions.list(filters).data]

    assert ids() == [others.id, still_open.id, bought.id]
    assert ids(customer=shop.customer) == [still_open.id, bought.id]
    assert ids(customer=shop.customer, status="open") == [still_open.id]
    assert ids(customer=shop.customer, created={"lt": still_open.created}) == [bought.id]
    assert ids(subscription=bought.subscription) == [bought.id]
    assert ids(customer_details={"email": "other@example.com"}) == [others.id]
    lines = shop.client.v1.checkout.sessions.line_items.list(bought.id).data
    assert [line.amount_total for line in lines] == [1200]
