"""Line items of a Checkout Session: prices looked up or made, amounts added."""

from __future__ import annotations

from stripe_double.engine.errors import (
    invalid_request,
    parameter_invalid,
    parameter_missing,
    state_conflict,
)
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.invoice_lines import describe
from stripe_double.resources.prices import new_price

MAX_ITEMS = 20


def new_items(tx: Transaction, params: JsonObject) -> list[Record]:
    """The line items of a new session or payment link, or ApiError 400."""
    given = params.get("line_items")
    if not given:
        raise parameter_missing("line_items")
    if len(given) > MAX_ITEMS:
        raise invalid_request(f"You can pass at most {MAX_ITEMS} line items.", param="line_items")
    items = [_new_item(tx, item, f"line_items[{index}]") for index, item in enumerate(given)]
    if len({item["currency"] for item in items}) > 1:
        raise invalid_request(
            "All line items must have the same currency.", param="line_items[1][price]"
        )
    return items


def check_mode(mode: str, items: list[Record]) -> None:
    """Whether a session in `mode` may sell these; else ApiError 400."""
    recurring = [item["price"]["recurring"] is not None for item in items]
    if mode == "payment" and any(recurring):
        raise invalid_request(
            "You specified `payment` mode but passed a recurring price. Either switch to "
            "`subscription` mode or use only one-time prices.",
            param="mode",
        )
    if mode == "subscription" and not any(recurring):
        raise invalid_request(
            "You must provide at least one recurring price in `subscription` mode when using "
            "prices.",
            param="mode",
        )


def _new_item(tx: Transaction, given: Record, name: str) -> Record:
    price = _price(tx, given, name)
    quantity = given.get("quantity")
    if quantity is None:
        raise parameter_missing(f"{name}[quantity]")
    if quantity < 1:
        raise parameter_invalid(
            f"{name}[quantity]",
            "This value must be greater than or equal to 1.",
            "parameter_invalid_integer",
        )
    amount = price["unit_amount"] * quantity
    return {
        "id": tx.new_id("item"),
        "object": "item",
        "adjustable_quantity": adjustable(given, quantity, name),
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": _product_name(tx, price),
        "metadata": metadata.given(dict(given)),
        "price": price,
        "quantity": quantity,
    }


def adjustable(given: Record, quantity: int, name: str) -> JsonObject | None:
    """How far a buyer may change the quantity of this line; None: not at all. ApiError 400."""
    wanted = given.get("adjustable_quantity")
    if not wanted or not wanted["enabled"]:
        return None
    bounds = {"maximum": wanted.get("maximum", 99), "minimum": wanted.get("minimum", 0)}
    if not bounds["minimum"] <= quantity <= bounds["maximum"] <= 999_999:
        raise parameter_invalid(
            f"{name}[adjustable_quantity]",
            "The quantity must be within the minimum and the maximum of its adjustment.",
        )
    return {"enabled": True, **bounds}


def _price(tx: Transaction, given: Record, name: str) -> Record:
    if bool(given.get("price")) == bool(given.get("price_data")):
        if given.get("price"):
            raise invalid_request(
                "You may only specify one of these parameters: price, price_data.", param=name
            )
        raise parameter_missing(f"{name}[price]")
    if given.get("price_data"):
        data = {**given["price_data"], "active": False}
        return new_price(tx, data, param=f"{name}[price_data]")
    price = tx.get("price", given["price"], param=f"{name}[price]")
    if not price["active"]:
        raise state_conflict(
            "The price specified is inactive. This field only accepts active prices.",
            param=f"{name}[price]",
        )
    return price


def _product_name(tx: Transaction, price: Record) -> str:
    product = tx.store.find("product", price["product"])
    return describe(tx, price, 1) if product is None else str(product["name"])
