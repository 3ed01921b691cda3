"""Prorations as invoice items: what a plan's credits and debits become."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import billed_time
from stripe_double.resources.invoice_items import new_invoice_item
from stripe_double.resources.invoice_lines import invoice_item_line, pricing, product_name
from stripe_double.resources.proration import Debit
from stripe_double.resources.subscription_changes import Proration
from stripe_double.wire.money import day_of


def write_prorations(
    tx: Transaction, subscription: Record, prorations: list[Proration], *, takes_effect: bool = True
) -> list[JsonObject]:
    """Make the waiting invoice items. A debit that takes effect is what later credits share."""
    customer = tx.store.find("customer", subscription["customer"]) or {}
    items = []
    for proration in prorations:
        item = new_invoice_item(
            tx,
            customer,
            amount=proration.amount_minor,
            currency=subscription["currency"],
            **proration_fields(tx, subscription, proration),
        )
        items.append(item)
        if takes_effect and proration.amount_minor >= 0:
            note_debit(tx, proration, item)
    return items


def note_debit(tx: Transaction, proration: Proration, invoice_item: Record) -> None:
    """From now on credits for the item's time are shares of this debit."""
    source = {
        "invoice_item": invoice_item["id"],
        "invoice_line_item_details": None,
        "type": "invoice_item",
    }
    debit = Debit(proration.start, proration.end, proration.amount_minor)
    billed_time.note_debit(tx, proration.item["id"], debit, source)


def proration_fields(tx: Transaction, subscription: Record, proration: Proration) -> JsonObject:
    """The fields of the invoice item of one proration."""
    item = proration.item
    credit = proration.amount_minor < 0
    words = "Unused time on" if credit else "Remaining time on"
    count = "" if item["quantity"] == 1 else f"{item['quantity']} \u00d7 "
    name = product_name(tx, item["price"])
    source = billed_time.source_of(tx, item["id"]) if credit else None
    return {
        "description": f"{words} {count}{name} after {day_of(proration.start)}",
        "discountable": False,
        "metadata": subscription["metadata"],
        "parent": {
            "subscription_details": {
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
            "type": "subscription_details",
        },
        "period": {"end": proration.end, "start": proration.start},
        "pricing": pricing(item["price"]),
        "proration": True,
        "proration_details": {"credited_items": source, "discount_amounts": []},
        "quantity": item["quantity"],
    }


def proration_line(tx: Transaction, subscription: Record, proration: Proration) -> JsonObject:
    """The invoice line of a proration that has no invoice item yet, as a preview shows it."""
    fields = proration_fields(tx, subscription, proration)
    quantity = str(fields["quantity"])
    amounts = {"amount": proration.amount_minor, "currency": subscription["currency"]}
    return invoice_item_line({**fields, **amounts, "id": None, "quantity_decimal": quantity})
