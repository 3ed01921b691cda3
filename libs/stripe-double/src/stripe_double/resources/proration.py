"""Shares of money by time, in whole minor units. Pure: every rule of proration is here.

Flexible billing: a credit gives back a share of what was really asked for that time (a `Debit`),
not of what the price says now. So a change without proration is never credited at the new price.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Debit:
    """`amount_minor` was asked for one item for the time from `start` to `end` (unix seconds)."""

    start: int
    end: int
    amount_minor: int


def share(amount_minor: int, start: int, end: int, at: int) -> int:
    """The part of `amount_minor` that belongs to the time from `at` to `end`, half rounded up.

    All of it when `at` is before `start`, nothing when it is after `end`. A negative amount is
    the negative of the positive one's share, so credit and debit of the same time cancel out.
    """
    if amount_minor < 0:
        return -share(-amount_minor, start, end, at)
    if at <= start:
        return amount_minor
    if at >= end:
        return 0
    span = end - start
    return (2 * amount_minor * (end - at) + span) // (2 * span)


def unused(debit: Debit | None, at: int) -> int:
    """What is given back of a debit when its time ends at `at`: zero or positive."""
    if debit is None:
        return 0
    return share(debit.amount_minor, debit.start, debit.end, at)


def remaining(amount_minor: int, start: int, end: int, at: int) -> int:
    """What the rest of a period costs, when the whole period costs `amount_minor`."""
    return share(amount_minor, start, end, at)
