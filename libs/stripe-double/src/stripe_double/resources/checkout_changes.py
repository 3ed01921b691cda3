"""What a buyer changes on the hosted page before paying: a promotion code, a quantity."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, parameter_invalid
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import discounts, promotion_codes
from stripe_double.resources.checkout_amounts import priced, totals, with_quantity
from stripe_double.resources.checkout_creation import shown_discount
from stripe_double.resources.checkout_sessions import PLAN, items_of


def apply_code(tx: Transaction, session: Record, code: str) -> JsonObject:
    """Take a promotion code's discount, or, with an empty one, none; ApiError 400."""
    _check_open(session)
    if not session["allow_promotion_codes"]:
        raise invalid_request("This checkout takes no promotion codes.", param="code")
    if not code:
        return _reprice(tx, session, items_of(tx, session), [])
    found = promotion_codes.find_by_code(tx, code)
    if found is None:
        raise parameter_invalid("code", "This code is invalid.")
    choice = discounts.by_code(
        tx,
        found,
        customer=session["customer"],
        amount=session["amount_subtotal"],
        currency=session["currency"],
    )
    return _reprice(tx, session, items_of(tx, session), [choice])


def change_quantity(tx: Transaction, session: Record, item_id: str, quantity: int) -> JsonObject:
    """Buy another quantity of a line that allows it; ApiError 400."""
    _check_open(session)
    items = items_of(tx, session)
    item = next((item for item in items if item["id"] == item_id), None)
    adjustable = None if item is None else item["adjustable_quantity"]
    if item is None or adjustable is None:
        raise invalid_request("This quantity cannot be changed.", param="quantity")
    least, greatest = adjustable["minimum"], adjustable["maximum"]
    if not max(least, 1) <= quantity <= greatest:
        raise parameter_invalid(
            "quantity", f"Choose a quantity from {max(least, 1)} to {greatest}."
        )
    changed = [with_quantity(i, quantity) if i["id"] == item_id else i for i in items]
    return _reprice(tx, session, changed, _chosen(tx, session))


def _check_open(session: Record) -> None:
    if session["status"] != "open":
        raise invalid_request("This checkout is no longer open.", status=409)


def _chosen(tx: Transaction, session: Record) -> list[discounts.Choice]:
    return discounts.chosen(
        tx,
        session["discounts"],
        customer=session["customer"],
        amount=session["amount_subtotal"],
        currency=session["currency"],
    )


def _reprice(
    tx: Transaction, session: Record, items: list[Record], choices: list[discounts.Choice]
) -> JsonObject:
    items = priced(items, [choice.coupon for choice in choices])
    plan = tx.store.find(PLAN, session["id"]) or {}
    tx.keep(PLAN, {**plan, "items": items})
    shown = [shown_discount(choice) for choice in choices]
    return tx.change(session, **totals(items), discounts=shown)
