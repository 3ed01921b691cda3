"""Invoices and the payment side: the one place where billing asks for money.

An open invoice that asks for money has one payment intent. Every attempt goes through here, and
its outcome is read off the intent.
"""

from __future__ import annotations

from enum import StrEnum

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import invoice_payments, payment_intents
from stripe_double.resources.invoice_states import subscription_of


class Outcome(StrEnum):
    """What became of one attempt."""

    PAID = "paid"
    REFUSED = "refused"
    NEEDS_ACTION = "needs_action"
    PROCESSING = "processing"


_OUTCOMES = {
    "succeeded": Outcome.PAID,
    "requires_action": Outcome.NEEDS_ACTION,
    "processing": Outcome.PROCESSING,
}
_DESCRIPTIONS = {"subscription_create": "Subscription creation", "manual": None}


def open_intent(tx: Transaction, invoice: Record) -> None:
    """Make the payment intent of an invoice that was just finalized."""
    intent = payment_intents.new_payment_intent(
        tx,
        amount_minor=invoice["amount_remaining"],
        currency=invoice["currency"],
        customer=invoice["customer"],
        description=_DESCRIPTIONS.get(invoice["billing_reason"], "Subscription update"),
    )
    invoice_payments.new_invoice_payment(tx, invoice, intent)


def intent_of(tx: Transaction, invoice: Record) -> Record | None:
    """The payment intent of an invoice, if it has one."""
    payment = invoice_payments.of_invoice(tx, invoice)
    return None if payment is None else tx.find("payment_intent", _intent_id(payment))


def invoice_of(tx: Transaction, intent: Record) -> Record | None:
    """The invoice that this payment intent pays, if any."""
    found = invoice_payments.of_intent(tx, intent["id"])
    return None if found is None else found[0]


def pays_a_part(tx: Transaction, intent: Record) -> bool:
    """Whether the intent was attached to its invoice beside the invoice's own."""
    found = invoice_payments.of_intent(tx, intent["id"])
    return found is not None and not found[1]["is_default"]


def settle_attached(tx: Transaction, intent: Record) -> int:
    """Note that an attached intent succeeded: the amount, in minor units."""
    found = invoice_payments.of_intent(tx, intent["id"])
    if found is None:
        return 0
    return int(invoice_payments.mark_paid(tx, found[1])["amount_paid"])


def charges_of(tx: Transaction, invoice: Record) -> list[Record]:
    """Every charge that was tried for the invoice, newest first."""
    intents = {
        _intent_id(payment)
        for payment in tx.newest("invoice_payment", where={"invoice": invoice["id"]})
    }
    return [
        charge
        for intent_id in sorted(intents)
        for charge in tx.newest("charge", where={"payment_intent": intent_id})
    ]


def charge(
    tx: Transaction, invoice: Record, method: Record, *, decline_code: str | None = None
) -> Outcome:
    """Ask the card for what remains. `decline_code` overrides what its bank would say."""
    intent = intent_of(tx, invoice)
    if intent is None:
        message = "an open invoice that asks for money has a payment intent"
        raise RuntimeError(message)
    after = payment_intents.attempt(
        tx,
        intent,
        method,
        decline_code=decline_code,
        purpose={"invoice": invoice["id"], "subscription": subscription_of(invoice)},
    )
    return _OUTCOMES.get(after["status"], Outcome.REFUSED)


def settle_payment(tx: Transaction, invoice: Record) -> JsonObject | None:
    """Note on the invoice's payment that its intent succeeded."""
    payment = invoice_payments.of_invoice(tx, invoice)
    return None if payment is None else invoice_payments.mark_paid(tx, payment)


def withdraw(tx: Transaction, invoice: Record) -> None:
    """No money is asked any more: cancel the intent and the payment."""
    payment = invoice_payments.of_invoice(tx, invoice)
    if payment is None or payment["status"] != "open":
        return
    invoice_payments.cancel(tx, payment)
    intent = tx.get("payment_intent", _intent_id(payment))
    if payment_intents.LIFECYCLE.allows(intent["status"], "cancel"):
        payment_intents.cancel(tx, intent, reason="void_invoice")


def ask_only(tx: Transaction, invoice: Record, amount_minor: int) -> None:
    """The invoice asks less than before, e.g. after a credit note; zero withdraws the intent."""
    payment = invoice_payments.of_invoice(tx, invoice)
    if payment is None or payment["status"] != "open":
        return
    if amount_minor == 0:
        withdraw(tx, invoice)
        return
    invoice_payments.request(tx, payment, amount_minor)
    intent = tx.get("payment_intent", _intent_id(payment))
    tx.put({**intent, "amount": amount_minor})


def confirmation_secret(tx: Transaction, invoice: Record) -> JsonObject | None:
    """`invoice.confirmation_secret`, which only `expand` shows: what a client needs to pay."""
    intent = intent_of(tx, invoice)
    if intent is None or intent["status"] in {"succeeded", "canceled"}:
        return None
    return {"client_secret": intent["client_secret"], "type": "payment_intent"}


def _intent_id(payment: Record) -> str:
    return str(payment["payment"]["payment_intent"])
