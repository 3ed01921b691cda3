"""Payment intents, as invoices and payment-mode sessions make them."""

from __future__ import annotations

from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.charges import new_charge
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, page

LIFECYCLE = Lifecycle(
    "PaymentIntent",
    {
        ("requires_payment_method", "succeed"): "succeeded",
        ("requires_payment_method", "fail"): "requires_payment_method",
        ("requires_payment_method", "cancel"): "canceled",
    },
)


def new_payment_intent(
    tx: Transaction,
    *,
    amount_minor: int,
    currency: str,
    customer: str,
    description: str | None = None,
    metadata: Record | None = None,
) -> JsonObject:
    """Create and announce an intent that waits for a payment method."""
    intent_id = tx.new_id("payment_intent")
    intent = tx.put(
        {
            "id": intent_id,
            "object": "payment_intent",
            "allowed_payment_method_types": None,
            "amount": amount_minor,
            "amount_capturable": 0,
            "amount_received": 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": None,
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": "automatic",
            "client_secret": f"{intent_id}_{tx.new_id('client_secret')}",
            "confirmation_method": "automatic",
            "created": tx.now,
            "currency": currency,
            "customer": customer,
            "customer_account": None,
            "description": description,
            "excluded_payment_method_types": None,
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "managed_payments": None,
            "metadata": dict(metadata or {}),
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": {},
            "payment_method_types": ["card"],
            "processing": None,
            "receipt_email": None,
            "review": None,
            "setup_future_usage": "off_session",
            "shipping": None,
            "source": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "requires_payment_method",
            "transfer_data": None,
            "transfer_group": None,
        }
    )
    tx.emit("payment_intent.created", intent)
    return intent


def attempt(
    tx: Transaction,
    intent: Record,
    method: Record,
    *,
    decline_code: str | None,
    purpose: Record,
) -> JsonObject:
    """Charge the card once. `purpose` names the invoice, subscription or session in the ledger."""
    status = LIFECYCLE.next(intent["status"], "fail" if decline_code else "succeed")
    charge = new_charge(tx, intent, method, decline_code)
    tx.note_charge(
        charge=charge["id"],
        payment_intent=intent["id"],
        amount=intent["amount"],
        currency=intent["currency"],
        customer=intent["customer"],
        outcome="declined" if decline_code else "succeeded",
        decline_code=decline_code,
        **purpose,
    )
    error = _error(charge, method, decline_code) if decline_code else None
    after = tx.put(
        {
            **intent,
            "status": status,
            "latest_charge": charge["id"],
            "payment_method": None if decline_code else method["id"],
            "amount_received": 0 if decline_code else intent["amount"],
            "last_payment_error": error,
        }
    )
    failed = decline_code is not None
    tx.emit("payment_intent.payment_failed" if failed else "payment_intent.succeeded", after)
    return after


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/payment_intents/{id}"""
    return dict(tx.get("payment_intent", call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/payment_intents"""
    params = call.params
    where = {"customer": params["customer"]} if "customer" in params else None
    found = created_within(tx.newest("payment_intent", where=where), params)
    return page(found, params, url="/v1/payment_intents")


def _error(charge: Record, method: Record, decline_code: str) -> JsonObject:
    return {
        "advice_code": None,
        "charge": charge["id"],
        "code": "card_declined",
        "decline_code": decline_code,
        "message": charge["failure_message"],
        "payment_method": method,
        "type": "card_error",
    }


OPERATIONS = (
    operation("payment_intents.list", "GET /v1/payment_intents", list_all, "customer"),
    operation("payment_intents.retrieve", "GET /v1/payment_intents/{id}", retrieve),
)
