"""Invoice payments: the link between an invoice and the payment intent that pays it."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, listing, page


def new_invoice_payment(tx: Transaction, invoice: Record, intent: Record) -> JsonObject:
    """Link a finalized invoice to its payment intent."""
    return tx.put(
        {
            "id": tx.new_id("invoice_payment"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": intent["amount"],
            "created": tx.now,
            "currency": intent["currency"],
            "invoice": invoice["id"],
            "is_default": True,
            "livemode": False,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        }
    )


def of_invoice(tx: Transaction, invoice: Record) -> Record | None:
    """The payment of an invoice, if it has one."""
    return next(tx.newest("invoice_payment", where={"invoice": invoice["id"]}), None)


def mark_paid(tx: Transaction, payment: Record) -> None:
    """The payment intent succeeded."""
    after = tx.put(
        {
            **payment,
            "amount_paid": payment["amount_requested"],
            "status": "paid",
            "status_transitions": {"canceled_at": None, "paid_at": tx.now},
        }
    )
    tx.emit("invoice_payment.paid", after)


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
        found = (p for p in found if p["payment"]["payment_intent"] == intent)
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
