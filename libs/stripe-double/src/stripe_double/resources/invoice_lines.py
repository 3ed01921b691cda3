"""Invoice lines: one subscription item for one period, or one invoice item."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.wire.money import readable

UNSAVED = ""
"""The id of a line or invoice that is only a draft in memory, e.g. of a preview."""


def period_line(
    tx: Transaction,
    subscription: Record,
    item: Record,
    *,
    free: bool = False,
    amount: int | None = None,
) -> JsonObject:
    """A line, without id and invoice, for an item's current period; `free` during a trial.

    `amount` is given when the period costs less than a whole one.
    """
    price, quantity = item["price"], item["quantity"]
    if free:
        amount = 0
    elif amount is None:
        amount = price["unit_amount"] * quantity
    return {
        **_line(amount, price["currency"]),
        "description": describe(tx, price, quantity, free=free),
        "metadata": subscription["metadata"],
        "parent": _of_subscription_item(subscription["id"], item["id"]),
        "period": {"end": item["current_period_end"], "start": item["current_period_start"]},
        "pricing": pricing(price, unit_amount="0" if free else None),
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "subscription": subscription["id"],
    }


def invoice_item_line(item: Record) -> JsonObject:
    """A line, without id and invoice, for an invoice item."""
    subscription = (item["parent"] or {}).get("subscription_details")
    subscription_id = None if subscription is None else subscription["subscription"]
    subscription_item = None if subscription is None else subscription["subscription_item"]
    credited = (item["proration_details"] or {}).get("credited_items") or {}
    details = {"credited_items": credited.get("invoice_line_item_details")}
    if subscription_item is not None:
        parent = _of_subscription_item(subscription_id, subscription_item)
        parent["subscription_item_details"] |= {
            "invoice_item": item["id"],
            "proration": item["proration"],
            "proration_details": details,
        }
    else:
        parent = {
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": item["proration"],
                "proration_details": details,
                "subscription": subscription_id,
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        }
    return {
        **_line(item["amount"], item["currency"]),
        "description": item["description"],
        "discountable": item["discountable"],
        "metadata": item["metadata"],
        "parent": parent,
        "period": item["period"],
        "pricing": item["pricing"],
        "quantity": item["quantity"],
        "quantity_decimal": item["quantity_decimal"],
        "subscription": subscription_id,
    }


def saved(tx: Transaction, line: Record, invoice_id: str) -> JsonObject:
    """The line with an id of its own, on its invoice."""
    return {**line, "id": tx.new_id("line_item"), "invoice": invoice_id}


def pricing(price: Record, *, unit_amount: str | None = None) -> JsonObject:
    """The `pricing` of a line or an invoice item with this price."""
    return {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": unit_amount or price["unit_amount_decimal"],
    }


def describe(tx: Transaction, price: Record, quantity: int, *, free: bool = False) -> str:
    """The line as people read it: quantity, product, price and interval."""
    name = product_name(tx, price)
    if free:
        return f"Trial period for {name}"
    recurring = price["recurring"]
    every = "" if recurring is None else f" / {interval_of(recurring)}"
    return (
        f"{quantity} \u00d7 {name} (at {readable(price['unit_amount'], price['currency'])}{every})"
    )


def product_name(tx: Transaction, price: Record) -> str:
    """The name of the product that the price sells."""
    product = tx.store.find("product", price["product"])
    return "Product" if product is None else str(product["name"])


def interval_of(recurring: Record) -> str:
    """`month`, or `3 months`."""
    count = recurring["interval_count"]
    return str(recurring["interval"]) if count == 1 else f"{count} {recurring['interval']}s"


def _of_subscription_item(subscription_id: str | None, item_id: str) -> JsonObject:
    return {
        "invoice_item_details": None,
        "subscription_item_details": {
            "invoice_item": None,
            "proration": False,
            "proration_details": {"credited_items": None},
            "subscription": subscription_id,
            "subscription_item": item_id,
        },
        "type": "subscription_item_details",
    }


def _line(amount: int, currency: str) -> JsonObject:
    return {
        "id": UNSAVED,
        "object": "line_item",
        "amount": amount,
        "currency": currency,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "pretax_credit_amounts": [],
        "subtotal": amount,
        "taxes": [],
    }
