"""A subscription's invoices: which lines they have, and what is done with them at once."""

from __future__ import annotations

from collections.abc import Sequence

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import (
    billed_time,
    discounts,
    invoice_collection,
    invoice_discounts,
)
from stripe_double.resources.invoice_items import pending_for, put_on
from stripe_double.resources.invoice_lines import invoice_item_line, period_line
from stripe_double.resources.invoice_objects import new_invoice
from stripe_double.resources.invoice_states import settled_balance
from stripe_double.resources.payment_methods import decline_code_of
from stripe_double.resources.subscription_states import payment_method_of

INCOMPLETE_BEHAVIOURS = frozenset({"allow_incomplete", "error_if_incomplete"})


def due_lines(
    tx: Transaction, subscription: Record, items: list[Record], amounts: dict[str, int]
) -> list[JsonObject]:
    """What an invoice made now would hold: waiting invoice items, then these items' periods.

    `amounts` gives, by item id, the amount of a period that is not billed whole.
    """
    waiting = pending_for(
        tx, subscription["customer"], subscription["currency"], subscription["id"]
    )
    free = subscription["status"] == "trialing"
    return [
        *(invoice_item_line(item) for item in waiting),
        *(
            period_line(tx, subscription, item, free=free, amount=amounts.get(item["id"]))
            for item in items
        ),
    ]


def bill(
    tx: Transaction,
    subscription: Record,
    items: list[Record],
    *,
    billing_reason: str,
    auto_advance: bool = False,
    amounts: dict[str, int] | None = None,
) -> JsonObject:
    """Make the draft for these items' current periods and for everything that waited."""
    customer = tx.store.find("customer", subscription["customer"]) or {}
    currency = subscription["currency"]
    waiting = pending_for(tx, customer["id"], currency, subscription["id"])
    lines = due_lines(tx, subscription, items, amounts or {})
    invoice = new_invoice(
        tx,
        customer=customer,
        subscription=subscription,
        lines=lines,
        currency=currency,
        billing_reason=billing_reason,
        auto_advance=auto_advance,
    )
    put_on(tx, waiting, invoice["id"])
    return invoice


def due_of(
    tx: Transaction,
    subscription: Record,
    lines: list[JsonObject],
    *,
    coupons: Sequence[Record] | None = None,
) -> int:
    """What an invoice with these lines would ask, the customer's balance applied.

    `coupons`: those of a subscription that begins; None: those that the subscription has.
    """
    customer = tx.store.find("customer", subscription["customer"]) or {}
    total = sum(int(line["amount"]) for line in lines)
    if coupons is None:
        coupons = discounts.coupons_of(tx, subscription, at=tx.now)
    total -= invoice_discounts.taken_off(lines, coupons)
    return settled_balance(total, customer["balance"])[0]


def collect_now(
    tx: Transaction, subscription: Record, invoice: Record, *, payment_behavior: str
) -> JsonObject:
    """Finalize a draft and, unless its payment is left to the client, try to collect it."""
    opened = invoice_collection.finalize(tx, invoice)
    if opened["status"] != "open" or opened["collection_method"] == "send_invoice":
        return opened
    if payment_behavior == "default_incomplete":
        return opened
    customer = tx.store.find("customer", subscription["customer"]) or {}
    method = payment_method_of(tx, subscription, customer)
    return invoice_collection.attempt(tx, opened, method)


def refusal(tx: Transaction, subscription: Record | None, customer: Record) -> str | None:
    """Why the bank would refuse the card that is to pay; None when it would pay."""
    method = payment_method_of(tx, subscription, customer)
    return None if method is None else decline_code_of(tx, method["id"])


def note_billed(tx: Transaction, invoice: Record) -> None:
    """Credits for the time on this invoice will be shares of what it asks."""
    billed_time.note_invoice(tx, invoice)
