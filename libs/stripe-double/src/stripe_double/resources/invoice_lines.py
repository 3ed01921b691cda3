"""Invoice lines: one subscription item for one period."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.wire.money import readable


def new_line(
    tx: Transaction, invoice_id: str, subscription: Record, item: Record, *, free: bool
) -> JsonObject:
    """The line for an item's current period; `free` during a trial."""
    price, quantity = item["price"], item["quantity"]
    amount = 0 if free else price["unit_amount"] * quantity
    return {
        "id": tx.new_id("line_item"),
        "object": "line_item",
        "amount": amount,
        "currency": price["currency"],
        "description": describe(tx, price, quantity, free=free),
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice_id,
        "livemode": False,
        "metadata": subscription["metadata"],
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": item["current_period_end"], "start": item["current_period_start"]},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": "0" if free else price["unit_amount_decimal"],
        },
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "subscription": subscription["id"],
        "subtotal": amount,
        "taxes": [],
    }


def describe(tx: Transaction, price: Record, quantity: int, *, free: bool = False) -> str:
    """The line as people read it: quantity, product, price and interval."""
    product = tx.store.find("product", price["product"])
    name = "Product" if product is None else product["name"]
    if free:
        return f"Trial period for {name}"
    recurring = price["recurring"]
    every = "" if recurring is None else f" / {interval_of(recurring)}"
    return (
        f"{quantity} \u00d7 {name} (at {readable(price['unit_amount'], price['currency'])}{every})"
    )


def interval_of(recurring: Record) -> str:
    """`month`, or `3 months`."""
    count = recurring["interval_count"]
    return str(recurring["interval"]) if count == 1 else f"{count} {recurring['interval']}s"
