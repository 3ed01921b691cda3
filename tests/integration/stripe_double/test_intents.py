"""Payment intents and setup intents: every way they can go, through the official SDK."""

from __future__ import annotations

from typing import Any

import pytest
import stripe


def create(client: Any, **changes: Any) -> Any:
    params = {"amount": 2000, "currency": "usd", "allowed_payment_method_types": ["card"]}
    return client.v1.payment_intents.create({**params, **changes})


def types(client: Any) -> list[str]:
    return [e.type for e in reversed(client.v1.events.list({"limit": 100}).data)]


def test_an_intent_goes_from_nothing_to_paid(client: Any) -> None:
    intent = create(client, metadata={"order": "1"})
    assert intent.status == "requires_payment_method"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.confirm(intent.id)
    assert caught.value.code == "payment_intent_unexpected_state"
    ready = client.v1.payment_intents.update(intent.id, {"payment_method": "pm_card_visa"})
    assert ready.status == "requires_confirmation"
    after = client.v1.payment_intents.confirm(intent.id, {"expand": ["latest_charge"]})
    assert (after.status, after.amount_received) == ("succeeded", 2000)
    assert (after.latest_charge.paid, after.latest_charge.captured) == (True, True)
    for impossible in (
        lambda: client.v1.payment_intents.cancel(intent.id),
        lambda: client.v1.payment_intents.confirm(intent.id),
        lambda: client.v1.payment_intents.capture(intent.id),
        lambda: client.v1.payment_intents.update(intent.id, {"amount": 1}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            impossible()
        assert caught.value.code == "payment_intent_unexpected_state"


def test_a_refused_card_leaves_the_intent_open_for_another(client: Any) -> None:
    with pytest.raises(stripe.CardError) as caught:
        create(client, payment_method="pm_card_visa_chargeDeclined", confirm=True)
    error = caught.value.error
    assert (error.code, error.decline_code) == ("card_declined", "generic_decline")
    assert error.payment_intent.status == "requires_payment_method"
    assert error.charge == error.payment_intent.latest_charge
    after = client.v1.payment_intents.confirm(
        error.payment_intent.id, {"payment_method": "pm_card_visa"}
    )
    assert after.status == "succeeded"
    assert types(client) == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ],
)
def test_test_cards_are_refused_for_their_own_reason(
    client: Any, method: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        create(client, payment_method=method, confirm=True)
    assert (caught.value.code, caught.value.error.decline_code) == (code, decline_code)


def test_an_authorization_is_captured_in_part_and_the_rest_let_go(client: Any) -> None:
    intent = create(client, payment_method="pm_card_visa", confirm=True, capture_method="manual")
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 2000)
    assert client.v1.balance_transactions.list().data == []
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 2001})
    assert caught.value.code == "amount_too_large"
    after = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1200})
    assert (after.status, after.amount_received) == ("succeeded", 1200)
    assert client.v1.refunds.create({"payment_intent": intent.id}).amount == 1200


def test_a_canceled_authorization_takes_nothing(client: Any) -> None:
    intent = create(client, payment_method="pm_card_visa", confirm=True, capture_method="manual")
    after = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "duplicate"})
    assert (after.status, after.cancellation_reason) == ("canceled", "duplicate")
    assert client.v1.charges.retrieve(intent.latest_charge).refunded
    assert client.v1.balance_transactions.list().data == []


def test_a_bank_debit_is_processed_first_and_ends_later(client: Any, double: Any) -> None:
    outcomes = {}
    for account in ("000123456789", "000111111113"):
        intent = create(
            client,
            allowed_payment_method_types=["us_bank_account"],
            payment_method_data={
                "type": "us_bank_account",
                "us_bank_account": {
                    "account_holder_type": "individual",
                    "account_number": account,
                    "routing_number": "110000000",
                },
                "billing_details": {"name": "Ada"},
            },
            confirm=True,
        )
        assert intent.status == "processing"
        assert client.v1.charges.retrieve(intent.latest_charge).status == "pending"
        outcomes[account] = intent.id
    double.call(lambda control: control.advance(5))
    good, bad = (client.v1.payment_intents.retrieve(i) for i in outcomes.values())
    assert (good.status, good.amount_received) == ("succeeded", 2000)
    assert bad.status == "requires_payment_method"
    assert bad.last_payment_error.decline_code == "account_closed"
    assert len(client.v1.balance_transactions.list().data) == 1


def test_setup_saves_a_card_on_the_customer_for_later(client: Any) -> None:
    customer = client.v1.customers.create({})
    setup = client.v1.setup_intents.create(
        {
            "customer": customer.id,
            "payment_method": "pm_card_visa",
            "allowed_payment_method_types": ["card"],
            "confirm": True,
        }
    )
    assert setup.status == "succeeded"
    held = client.v1.payment_methods.retrieve(setup.payment_method)
    assert held.customer == customer.id
    assert types(client)[-3:] == [
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.setup_intents.cancel(setup.id)
    assert caught.value.code == "setup_intent_unexpected_state"
    paid = create(client, customer=customer.id, payment_method=held.id, confirm=True)
    assert paid.status == "succeeded"


def test_setup_is_refused_canceled_or_asks_the_buyer(client: Any) -> None:
    with pytest.raises(stripe.CardError) as caught:
        client.v1.setup_intents.create(
            {"payment_method": "pm_card_chargeDeclined", "confirm": True}
        )
    refused = caught.value.error.setup_intent
    assert refused.status == "requires_payment_method"
    assert client.v1.setup_intents.cancel(refused.id).status == "canceled"
    asks = client.v1.setup_intents.create(
        {"payment_method": "pm_card_authenticationRequired", "confirm": True}
    )
    assert (asks.status, asks.next_action.type) == ("requires_action", "redirect_to_url")


def test_a_card_used_without_a_customer_is_spent(client: Any) -> None:
    method = client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    create(client, payment_method=method.id, confirm=True)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        create(client, payment_method=method.id, confirm=True)
    customer = client.v1.customers.create({})
    used = create(client, customer=customer.id, payment_method="pm_card_visa", confirm=True)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        create(client, customer=customer.id, payment_method=used.payment_method, confirm=True)
    kept = create(
        client,
        customer=customer.id,
        payment_method="pm_card_visa",
        setup_future_usage="off_session",
        confirm=True,
    )
    assert client.v1.payment_methods.retrieve(kept.payment_method).customer == customer.id


def test_parameters_that_are_not_modelled_are_refused_by_name(client: Any) -> None:
    with pytest.raises(stripe.APIError) as caught:
        create(client, on_behalf_of="acct_1")
    assert (caught.value.http_status, caught.value.error.param) == (501, "on_behalf_of")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        create(client, amount=10)
    assert refused.value.code == "amount_too_small"


def test_a_debit_shows_the_mandate_it_was_allowed_by(client: Any) -> None:
    acceptance = {"type": "online", "online": {"ip_address": "127.0.0.1", "user_agent": "test"}}
    params = {
        "currency": "eur",
        "allowed_payment_method_types": ["sepa_debit"],
        "payment_method_data": {
            "type": "sepa_debit",
            "sepa_debit": {"iban": "DE89370400440532013000"},
        },
        "confirm": True,
    }
    intent = create(client, **params, mandate_data={"customer_acceptance": acceptance})
    charge = client.v1.charges.retrieve(intent.latest_charge)
    mandate = client.v1.mandates.retrieve(charge.payment_method_details.sepa_debit.mandate)
    assert (mandate.type, mandate.status, mandate.single_use.amount) == (
        "single_use",
        "active",
        2000,
    )
    with pytest.raises(stripe.InvalidRequestError) as caught:
        create(client, **params, mandate_data={"customer_acceptance": {"type": "online"}})
    assert caught.value.code == "parameter_missing"
    setup = client.v1.setup_intents.create(
        {
            "allowed_payment_method_types": ["sepa_debit"],
            "payment_method_data": params["payment_method_data"],
            "confirm": True,
            "mandate_data": {"customer_acceptance": {"type": "offline", "accepted_at": 1}},
        }
    )
    assert client.v1.mandates.retrieve(setup.mandate).customer_acceptance.accepted_at == 1
