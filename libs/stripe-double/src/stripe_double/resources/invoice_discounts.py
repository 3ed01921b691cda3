"""Discounts on the lines of an invoice: what each takes off each line, and the sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import discounts
from stripe_double.resources.discounting import Portion, discounted


def applied(
    tx: Transaction, lines: Sequence[Record], discount_ids: Iterable[str]
) -> tuple[list[JsonObject], JsonObject]:
    """The lines with what each running discount takes off them, and the fields of the invoice:
    `discounts` (their ids) and `total_discount_amounts`."""
    found = discounts.running(tx, discount_ids, at=tx.now)
    ids = [str(discount["id"]) for discount in found]
    coupons = [discounts.coupon_of(tx, discount) for discount in found]
    taken = discounted([_portion(line) for line in lines], coupons)
    shown = [
        {**line, "discount_amounts": _amounts(off, ids)}
        for line, off in zip(lines, taken, strict=True)
    ]
    sums = [sum(line[index] for line in taken) for index in range(len(ids))]
    return shown, {"discounts": ids, "total_discount_amounts": _amounts(sums, ids)}


def total_off(record: Record) -> int:
    """What all discounts take off an invoice, or off one of its lines, in minor units."""
    name = "total_discount_amounts" if "total_discount_amounts" in record else "discount_amounts"
    return sum(int(part["amount"]) for part in record[name] or ())


def taken_off(lines: Sequence[Record], coupons: Sequence[Record]) -> int:
    """What these coupons would take off these lines, in minor units."""
    return sum(map(sum, discounted([_portion(line) for line in lines], coupons)))


def _amounts(amounts: Sequence[int], discount_ids: Sequence[str]) -> list[JsonObject]:
    return [
        {"amount": amount, "discount": discount_id}
        for amount, discount_id in zip(amounts, discount_ids, strict=True)
    ]


def _portion(line: Record) -> Portion:
    details = (line.get("pricing") or {}).get("price_details") or {}
    return Portion(int(line["amount"]), details.get("product"), line.get("discountable", True))
