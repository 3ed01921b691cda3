"""The price and quantity that a caller gives for an item: looked up or made, and checked."""

from __future__ import annotations

from stripe_double.engine.errors import (
    invalid_request,
    parameter_invalid,
    parameter_missing,
    state_conflict,
)
from stripe_double.engine.records import Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.prices import new_price


def recurring_price(tx: Transaction, given: Record, name: str) -> Record:
    """The recurring price of `given[price]` or `given[price_data]`, or ApiError 400."""
    price = _price(tx, given, name)
    if price["recurring"] is None:
        raise invalid_request(
            "The price specified is set to `type=one_time` but this field only accepts prices "
            "with `type=recurring`.",
            param=f"{name}[price]",
        )
    return price


def one_time_price(tx: Transaction, given: Record, name: str) -> Record:
    """The one-time price of `given[price]` or `given[price_data]`, or ApiError 400."""
    price = _price(tx, given, name)
    if price["recurring"] is not None:
        raise invalid_request(
            "The price specified is set to `type=recurring` but this field only accepts prices "
            "with `type=one_time`.",
            param=f"{name}[price]",
        )
    return price


def quantity_of(given: Record, name: str, *, default: int = 1, least: int = 0) -> int:
    """The quantity, or ApiError 400 when it is less than `least`."""
    quantity = given.get("quantity", default)
    if not least <= quantity < 10**9:
        raise parameter_invalid(
            f"{name}[quantity]" if name else "quantity",
            f"This value must be greater than or equal to {least}.",
            "parameter_invalid_integer",
        )
    return int(quantity)


def _price(tx: Transaction, given: Record, name: str) -> Record:
    if given.get("price_record"):  # looked up and checked before
        checked: Record = given["price_record"]
        return checked
    if bool(given.get("price")) == bool(given.get("price_data")):
        if given.get("price"):
            raise invalid_request(
                "You may only specify one of these parameters: price, price_data.", param=name
            )
        raise parameter_missing(f"{name}[price]")
    if given.get("price_data"):
        return new_price(tx, {**given["price_data"], "active": False}, param=f"{name}[price_data]")
    price = tx.get("price", given["price"], param=f"{name}[price]")
    if not price["active"]:
        raise state_conflict(
            "The price specified is inactive. This field only accepts active prices.",
            param=f"{name}[price]",
        )
    return price
