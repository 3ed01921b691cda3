"""What a session makes when its buyer pays: subscription, payment, or payment with an invoice."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import (
    invoice_charging,
    invoice_collection,
    invoice_items,
    payment_intents,
    setup_intents,
)
from stripe_double.resources.discounts import Choice
from stripe_double.resources.intent_parameters import shipping_from
from stripe_double.resources.invoice_lines import describe, invoice_item_line, pricing
from stripe_double.resources.invoice_objects import new_invoice
from stripe_double.resources.subscription_creation import subscription_from_session


def subscribe(
    tx: Transaction,
    session: Record,
    customer: Record,
    method: Record | None,
    plan: Record,
    *,
    choices: list[Choice],
) -> JsonObject:
    """A subscription for the recurring lines; what is sold once goes on its first invoice.

    The session's coupons (`choices`) become the subscription's.
    """
    lines = plan["items"]
    for line in lines:
        if line["price"]["recurring"] is None:
            _invoice_item(tx, customer, line, line["amount_subtotal"])
    subscription = subscription_from_session(
        tx,
        customer=customer,
        method=method,
        lines=[line for line in lines if line["price"]["recurring"] is not None],
        data=plan["subscription_data"],
        choices=choices,
        session=session["id"],
    )
    return {"subscription": subscription["id"], "invoice": subscription["latest_invoice"]}


def _invoice_item(tx: Transaction, customer: Record, line: Record, amount_minor: int) -> JsonObject:
    return invoice_items.new_invoice_item(
        tx,
        customer,
        amount=amount_minor,
        currency=line["currency"],
        description=describe(tx, line["price"], line["quantity"]),
        metadata=line["metadata"],
        pricing=pricing(line["price"]),
        quantity=line["quantity"],
    )


def charge_once(
    tx: Transaction, session: Record, customer: Record | None, method: Record, plan: Record
) -> JsonObject:
    """A payment intent for the session's total, and its one attempt."""
    data = plan["payment_intent_data"]
    keeps = data.get("setup_future_usage") or (None if customer is None else "off_session")
    intent = payment_intents.new_payment_intent(
        tx,
        amount_minor=session["amount_total"],
        currency=session["currency"],
        customer=None if customer is None else customer["id"],
        description=data.get("description"),
        metadata=data.get("metadata"),
        values={
            "payment_method_types": session["payment_method_types"],
            "receipt_email": data.get("receipt_email") or None,
            "setup_future_usage": keeps,
            "shipping": shipping_from(data),
        },
    )
    purpose = {"session": session["id"]}
    payment_intents.attempt(tx, intent, method, decline_code=None, purpose=purpose)
    return {"payment_intent": intent["id"]}


def invoice_once(
    tx: Transaction, session: Record, customer: Record, method: Record, plan: Record
) -> JsonObject:
    """`invoice_creation`: an invoice for the lines, paid by the session's payment intent."""
    wanted = session["invoice_creation"]["invoice_data"]
    items: list[Record] = [
        _invoice_item(tx, customer, line, line["amount_total"]) for line in plan["items"]
    ]
    invoice = new_invoice(
        tx,
        customer=customer,
        subscription=None,
        lines=[invoice_item_line(item) for item in items],
        currency=session["currency"],
        billing_reason="manual",
        auto_advance=False,
        description=wanted["description"],
        footer=wanted["footer"],
        metadata=wanted["metadata"],
    )
    invoice_items.put_on(tx, items, invoice["id"])
    invoice = invoice_collection.finalize(tx, invoice)
    intent = invoice_charging.intent_of(tx, invoice)
    if intent is None:
        return {"invoice": invoice["id"]}
    data = plan["payment_intent_data"]
    tx.change(
        intent,
        description=data.get("description") or intent["description"],
        metadata=data.get("metadata") or {},
        payment_method_types=session["payment_method_types"],
    )
    invoice_collection.attempt(tx, invoice, method)
    return {"invoice": invoice["id"], "payment_intent": intent["id"]}


def set_up(tx: Transaction, session: Record, customer: Record | None, method: Record) -> Record:
    """The session's setup intent after its one attempt."""
    intent = tx.get("setup_intent", session["setup_intent"])
    if customer is not None and intent["customer"] is None:
        intent = tx.change(intent, customer=customer["id"])
    return setup_intents.attempt(tx, intent, method)
