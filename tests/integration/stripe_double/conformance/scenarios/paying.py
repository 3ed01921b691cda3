"""Payment and setup intents, charges, refunds, disputes, the balance."""

from __future__ import annotations

from contextlib import suppress

import stripe
from tests.integration.stripe_double.conformance.in_process import Shop
from tests.integration.stripe_double.conformance.scenarios import stock

from stripe_double.resources import banks


def intents(shop: Shop) -> None:
    intents = shop.v1.payment_intents
    customer = stock.payer(shop)
    made = intents.create({"amount": 1500, "currency": "usd", "customer": customer.id})
    intents.update(made.id, {"amount": 1600, "metadata": {"a": "b"}})
    intents.confirm(made.id, {"payment_method": "pm_card_visa", "return_url": "http://shop.test/"})
    intents.retrieve(made.id, {"expand": ["latest_charge"]})
    intents.list({"customer": customer.id})
    intents.cancel(
        intents.create({"amount": 500, "currency": "usd"}).id,
        {"cancellation_reason": "abandoned"},
    )


def bank_transfers(shop: Shop) -> None:
    customer = shop.v1.customers.create({})
    intents, funding = shop.v1.payment_intents, shop.v1.test_helpers.customers
    options = {"funding_type": "bank_transfer", "bank_transfer": {"type": "jp_bank_transfer"}}
    how = {
        "payment_method_data": {"type": "customer_balance"},
        "payment_method_options": {"customer_balance": options},
    }
    params = {
        "amount": 2000,
        "currency": "jpy",
        "customer": customer.id,
        "allowed_payment_method_types": ["customer_balance"],
    }
    intents.create({**params, **how, "confirm": True})
    second = intents.create(params)
    intents.confirm(second.id, how)
    for amount in (1500, 1500, 500):
        funding.fund_cash_balance(customer.id, {"amount": amount, "currency": "jpy"})
    intents.cancel(second.id)
    funding.fund_cash_balance(customer.id, {"amount": 700, "currency": "usd"})
    shop.v1.customers.cash_balance.retrieve(customer.id)


def captured_later(shop: Shop) -> None:
    held = stock.charged(shop, capture_method="manual")
    shop.v1.payment_intents.capture(held.id, {"amount_to_capture": 1500})
    stock.charged(shop, capture_method="manual")
    shop.control.advance(9 * stock.DAY)


def declined(shop: Shop) -> None:
    with suppress(stripe.CardError):
        stock.charged(shop, card="pm_card_chargeDeclinedInsufficientFunds")
    with suppress(stripe.CardError):
        stock.charged(shop, card="pm_card_visa_chargeDeclined")


def authentication(shop: Shop) -> None:
    stock.charged(shop, card="pm_card_authenticationRequired")


def bank_debits(shop: Shop) -> None:
    method = shop.v1.payment_methods.create(
        {
            "type": "us_bank_account",
            "us_bank_account": {
                "account_number": "000123456789",
                "routing_number": "110000000",
                "account_holder_type": "individual",
            },
            "billing_details": {"name": "Ada"},
        }
    )
    stock.charged(shop, card=method.id)
    shop.control.advance(9 * stock.DAY)


def setup_intents(shop: Shop) -> None:
    intents = shop.v1.setup_intents
    customer = shop.v1.customers.create({})
    made = intents.create({"customer": customer.id, "usage": "off_session"})
    intents.update(made.id, {"metadata": {"a": "b"}})
    intents.confirm(made.id, {"payment_method": "pm_card_visa", "return_url": "http://shop.test/"})
    intents.retrieve(made.id)
    intents.list({"customer": customer.id})
    shop.v1.setup_attempts.list({"setup_intent": made.id})
    intents.cancel(intents.create({}).id)
    debit = intents.create(
        {
            "allowed_payment_method_types": ["us_bank_account"],
            "payment_method": "pm_usBankAccount_success",
            "confirm": True,
            "mandate_data": {"customer_acceptance": {"type": "offline", "accepted_at": 1}},
        }
    )
    shop.v1.mandates.retrieve(debit.mandate)


def charges(shop: Shop) -> None:
    charge = stock.charged(shop).latest_charge
    shop.v1.charges.update(charge, {"description": "seen", "metadata": {"a": "b"}})
    shop.v1.charges.retrieve(charge, {"expand": ["balance_transaction", "refunds"]})
    shop.v1.charges.list()


def direct_charges(shop: Shop) -> None:
    shop.v1.charges.create({"amount": 900, "currency": "usd", "source": "tok_visa"})
    held = shop.v1.charges.create(
        {"amount": 900, "currency": "usd", "source": "tok_visa", "capture": False}
    )
    shop.v1.charges.capture(held.id)


def refunds(shop: Shop) -> None:
    refunds = shop.v1.refunds
    intent = stock.charged(shop)
    made = refunds.create({"payment_intent": intent.id, "amount": 500, "reason": "duplicate"})
    refunds.update(made.id, {"metadata": {"a": "b"}})
    refunds.retrieve(made.id)
    refunds.list({"payment_intent": intent.id})
    refunds.create({"charge": intent.latest_charge})
    for card in ("pm_card_refundFail", "pm_card_pendingRefund"):
        refunds.create({"payment_intent": stock.charged(shop, card=card).id})
    shop.control.advance(20 * stock.DAY)


def refunds_under_way(shop: Shop) -> None:
    pending = shop.v1.refunds.create(
        {"payment_intent": stock.charged(shop, card="pm_card_pendingRefund").id}
    )
    with suppress(stripe.InvalidRequestError):
        shop.v1.refunds.cancel(pending.id)


def refund_canceled(shop: Shop) -> None:
    intent = stock.charged(shop)
    with shop.double.world.transaction() as tx:  # a bank that asks the customer where to send it
        banks.change(tx, intent.payment_method, refunds="requires_action")
    shop.v1.refunds.cancel(shop.v1.refunds.create({"payment_intent": intent.id}).id)


def refund_expired(shop: Shop) -> None:
    refund = shop.v1.refunds.create({"payment_intent": stock.charged(shop).id})
    with suppress(stripe.InvalidRequestError):
        shop.v1.test_helpers.refunds.expire(refund.id)


def disputes(shop: Shop) -> None:
    stock.charged(shop, card="pm_card_createDispute")
    stock.charged(shop, card="pm_card_createDispute")
    disputes = shop.v1.disputes
    first, second = disputes.list().data
    disputes.retrieve(first.id)
    disputes.update(
        first.id, {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": True}
    )
    disputes.close(second.id)
    shop.control.advance(90 * stock.DAY)


def early_fraud_warnings(shop: Shop) -> None:
    stock.charged(shop, card="pm_card_createIssuerFraudRecord")
    warnings = shop.v1.radar.early_fraud_warnings.list().data
    shop.v1.radar.early_fraud_warnings.retrieve(warnings[0].id)


def balance(shop: Shop) -> None:
    intent = stock.charged(shop)
    shop.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    shop.v1.balance.retrieve()
    listed = shop.v1.balance_transactions.list({"limit": 3}).data
    shop.v1.balance_transactions.retrieve(listed[0].id, {"expand": ["source"]})
    shop.control.advance(10 * stock.DAY)


SCENARIOS = (
    intents,
    bank_transfers,
    captured_later,
    declined,
    authentication,
    bank_debits,
    setup_intents,
    charges,
    direct_charges,
    refunds,
    refunds_under_way,
    refund_canceled,
    refund_expired,
    disputes,
    early_fraud_warnings,
    balance,
)
