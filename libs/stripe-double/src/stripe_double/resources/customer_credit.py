"""A customer's balance and the invoices: applied when one is finalized, given back when voided."""

from __future__ import annotations

from stripe_double.engine.records import Record
from stripe_double.engine.transactions import Transaction


def change_balance(
    tx: Transaction, customer_id: str, amount_minor: int, kind: str, **links: object
) -> Record:
    """Add `amount_minor` to the balance (negative: credit) and note the transaction.

    `kind` is Stripe's type (`applied_to_invoice`, `unapplied_from_invoice`, `credit_note`, …);
    `links` name the `invoice` or `credit_note`.
    """
    customer = tx.store.find("customer", customer_id) or {}
    balance = customer["balance"] + amount_minor
    tx.change(customer, "customer.updated", balance=balance)
    return tx.put(
        {
            "id": tx.new_id("customer_balance_transaction"),
            "object": "customer_balance_transaction",
            "amount": amount_minor,
            "checkout_session": None,
            "created": tx.now,
            "credit_note": links.get("credit_note"),
            "currency": links.get("currency") or customer["currency"],
            "customer": customer_id,
            "customer_account": None,
            "description": None,
            "ending_balance": balance,
            "invoice": links.get("invoice"),
            "livemode": False,
            "metadata": {},
            "type": kind,
        }
    )
