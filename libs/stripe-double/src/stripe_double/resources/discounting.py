"""How coupons make amounts smaller. Pure arithmetic: no state, no clock, no ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from stripe_double.engine.records import Record


@dataclass(frozen=True, slots=True)
class Portion:
    """One line to be discounted: its amount in minor units, and what it sells."""

    amount: int
    product: str | None = None
    discountable: bool = True


def discounted(lines: Sequence[Portion], coupons: Sequence[Record]) -> tuple[tuple[int, ...], ...]:
    """What each coupon takes off each line: `result[line][coupon]`, minor units, never negative.

    Coupons apply one after another, each to what the earlier ones left. A percentage is rounded
    half up per line; a fixed amount is spread over the lines in proportion and adds up exactly,
    never beyond what is left. Lines that are not discountable, not positive, or not of the
    coupon's products are left alone.
    """
    left = [line.amount for line in lines]
    taken: list[list[int]] = [[] for _ in lines]
    for coupon in coupons:
        suits = [_applies(coupon, line) for line in lines]
        open_amounts = [
            amount if fits and amount > 0 else 0 for amount, fits in zip(left, suits, strict=True)
        ]
        shares = _shares(coupon, open_amounts)
        for index, share in enumerate(shares):
            left[index] -= share
            taken[index].append(share)
    return tuple(tuple(line) for line in taken)


def _applies(coupon: Record, line: Portion) -> bool:
    products = (coupon.get("applies_to") or {}).get("products")
    return line.discountable and (not products or line.product in products)


def _shares(coupon: Record, amounts: list[int]) -> list[int]:
    percent = coupon["percent_off"]
    if percent is not None:
        rate = Fraction(str(percent)) / 100
        return [min(amount, floor(amount * rate + Fraction(1, 2))) for amount in amounts]
    return spread(min(int(coupon["amount_off"]), sum(amounts)), amounts)


def spread(total: int, amounts: Sequence[int]) -> list[int]:
    """`total` in parts proportional to `amounts`, which add up to it; largest remainders first."""
    whole = sum(amounts)
    if whole == 0:
        return [0 for _ in amounts]
    exact = [Fraction(total * amount, whole) for amount in amounts]
    parts = [floor(share) for share in exact]
    order = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    for index in order[: total - sum(parts)]:
        parts[index] += 1
    return parts
