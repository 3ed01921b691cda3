"""Charges: one attempt to take money from a card, paid or failed, never changed afterwards."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, page


def new_charge(
    tx: Transaction, intent: Record, method: Record, decline_code: str | None
) -> JsonObject:
    """Create and announce the charge of one attempt on a payment intent."""
    paid = decline_code is None
    charge = tx.put(
        {
            "id": tx.new_id("charge"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"] if paid else 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": None,
            "billing_details": method["billing_details"],
            "calculated_statement_descriptor": None,
            "captured": paid,
            "created": tx.now,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": None if paid else "card_declined",
            "failure_message": None if paid else "Your card was declined.",
            "fraud_details": {},
            "livemode": False,
            "metadata": intent["metadata"],
            "on_behalf_of": None,
            "outcome": _outcome(decline_code),
            "paid": paid,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {"card": _card_details(method), "type": "card"},
            "receipt_email": None,
            "receipt_number": None,
            "receipt_url": None,
            "refunded": False,
            "refunds": None,
            "review": None,
            "shipping": None,
            "source_transfer": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "succeeded" if paid else "failed",
            "transfer_data": None,
            "transfer_group": None,
        }
    )
    tx.emit("charge.succeeded" if paid else "charge.failed", charge)
    return charge


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/charges/{id}"""
    return dict(tx.get("charge", call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/charges"""
    params = call.params
    where = equal_to(params, "customer", "payment_intent")
    return page(created_within(tx.newest("charge", where=where), params), params, url="/v1/charges")


def _outcome(decline_code: str | None) -> JsonObject:
    paid = decline_code is None
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network" if paid else "declined_by_network",
        "reason": decline_code,
        "risk_level": "normal",
        "seller_message": "Payment complete." if paid else "The bank refused the charge.",
        "type": "authorized" if paid else "issuer_declined",
    }


def _card_details(method: Record) -> JsonObject:
    names = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    return {name: method["card"][name] for name in names}


OPERATIONS = (
    operation("charges.list", "GET /v1/charges", list_all, "customer payment_intent"),
    operation("charges.retrieve", "GET /v1/charges/{id}", retrieve),
)
