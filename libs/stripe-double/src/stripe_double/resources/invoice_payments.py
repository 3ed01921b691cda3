"""Invoice payments: the link between an invoice and a payment intent that pays it."""

from __future__ import annotations

from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, listing, page

LIFECYCLE = Lifecycle(
    "InvoicePayment",
    {("open", "pay"): "paid", ("open", "cancel"): "canceled"},
)
_OF_INTENT = "invoice_of_intent"


def new_invoice_payment(
    tx: Transaction, invoice: Record, intent: Record, *, is_default: bool = True
) -> JsonObject:
    """Link a finalized invoice to a payment intent."""
    tx.keep(_OF_INTENT, {"id": intent["id"], "invoice": invoice["id"]})
    return tx.put(
        {
            "id": tx.new_id("invoice_payment"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": intent["amount"],
            "created": tx.now,
            "currency": intent["currency"],
            "invoice": invoice["id"],
            "is_default": is_default,
            "livemode": False,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        }
    )


def of_invoice(tx: Transaction, invoice: Record) -> Record | None:
    """The default payment of an invoice, if it has one that can still happen or has happened."""
    found = tx.newest("invoice_payment", where={"invoice": invoice["id"], "is_default": True})
    return next((payment for payment in found if payment["status"] != "canceled"), None)


def of_intent(tx: Transaction, intent_id: str) -> tuple[Record, Record] | None:
    """(invoice, its payment by this intent), or None when the intent pays no invoice."""
    kept = tx.store.find(_OF_INTENT, intent_id)
    invoice = None if kept is None else tx.find("invoice", kept["invoice"])
    if invoice is None:
        return None
    for payment in tx.newest("invoice_payment", where={"invoice": invoice["id"]}):
        if payment["payment"].get("payment_intent") == intent_id:
            return invoice, payment
    return None


def mark_paid(tx: Transaction, payment: Record) -> JsonObject:
    """The payment intent succeeded."""
    after = tx.put(
        {
            **payment,
            "amount_paid": payment["amount_requested"],
            "status": LIFECYCLE.next(payment["status"], "pay"),
            "status_transitions": {"canceled_at": None, "paid_at": tx.now},
        }
    )
    tx.emit("invoice_payment.paid", after)
    return after


def cancel(tx: Transaction, payment: Record) -> JsonObject:
    """The invoice needs this payment no longer."""
    return tx.put(
        {
            **payment,
            "status": LIFECYCLE.next(payment["status"], "cancel"),
            "status_transitions": {"canceled_at": tx.now, "paid_at": None},
        }
    )


def request(tx: Transaction, payment: Record, amount_minor: int) -> JsonObject:
    """The invoice asks less (or more) of this payment than before."""
    return tx.put({**payment, "amount_requested": amount_minor})


def included(tx: Transaction, invoice: Record) -> JsonObject:
    """`invoice.payments`, which only `expand` shows."""
    found = tx.newest("invoice_payment", where={"invoice": invoice["id"]})
    return listing(found, url=f"/v1/invoice_payments?invoice={invoice['id']}")


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/invoice_payments/{id}"""
    return dict(tx.get("invoice_payment", call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/invoice_payments"""
    params = call.params
    where = equal_to(params, "invoice", "status")
    found = created_within(tx.newest("invoice_payment", where=where), params)
    intent = params.get("payment", {}).get("payment_intent")
    if intent is not None:
        found = (p for p in found if p["payment"].get("payment_intent") == intent)
    return page(found, params, url="/v1/invoice_payments")


OPERATIONS = (
    operation(
        "invoice_payments.list",
        "GET /v1/invoice_payments",
        list_all,
        "invoice status payment.type payment.payment_intent",
        {"payment.type": frozenset({"payment_intent"})},
    ),
    operation("invoice_payments.retrieve", "GET /v1/invoice_payments/{id}", retrieve),
)
