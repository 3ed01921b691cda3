"""What a session costs: its lines, what coupons take off them, and what is due today."""

from __future__ import annotations

from collections.abc import Sequence

from stripe_double.engine.records import JsonObject, Record
from stripe_double.resources.discounting import Portion, discounted


def priced(items: Sequence[Record], coupons: Sequence[Record]) -> list[Record]:
    """The lines with what each coupon takes off."""
    portions = [Portion(item["amount_subtotal"], item["price"]["product"]) for item in items]
    taken = discounted(portions, coupons)
    return [
        {
            **item,
            "amount_discount": sum(off),
            "amount_total": item["amount_subtotal"] - sum(off),
        }
        for item, off in zip(items, taken, strict=True)
    ]


def with_quantity(item: Record, quantity: int) -> JsonObject:
    """The line with another quantity and no discount yet."""
    amount = item["price"]["unit_amount"] * quantity
    return {
        **item,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_total": amount,
        "quantity": quantity,
    }


def totals(items: Sequence[Record]) -> JsonObject:
    """The session's amounts."""
    return {
        "amount_subtotal": sum(item["amount_subtotal"] for item in items),
        "amount_total": sum(item["amount_total"] for item in items),
        "total_details": {
            "amount_discount": sum(item["amount_discount"] for item in items),
            "amount_shipping": 0,
            "amount_tax": 0,
        },
    }


def due_today(session: Record, plan: Record) -> int:
    """Minor units that a buyer pays now: with a trial only what is sold once."""
    if session["mode"] == "setup":
        return 0
    data = plan.get("subscription_data") or {}
    if session["mode"] == "subscription" and (
        data.get("trial_period_days") or data.get("trial_end")
    ):
        once = (item for item in plan["items"] if item["price"]["recurring"] is None)
        return sum(int(item["amount_total"]) for item in once)
    return int(session["amount_total"])
