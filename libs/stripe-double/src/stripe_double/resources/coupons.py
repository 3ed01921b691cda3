"""Coupons: a percentage or an amount off, for once, for some months or for ever."""

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
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.prices import currency_of
from stripe_double.wire.lists import created_within, page


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/coupons"""
    params = call.params
    amount_off, percent_off = params.get("amount_off"), params.get("percent_off")
    _check_worth(amount_off, percent_off)
    duration, months = params.get("duration") or "once", params.get("duration_in_months")
    if (duration == "repeating") != (months is not None):
        raise parameter_invalid(
            "duration_in_months",
            "You must pass `duration_in_months` when passing `repeating` as `duration`, and only "
            "then.",
        )
    for name in ("duration_in_months", "max_redemptions"):
        if params.get(name) is not None and params[name] < 1:
            raise parameter_invalid(name, "Invalid positive integer", "parameter_invalid_integer")
    coupon_id = params.get("id") or tx.new_id("coupon")
    if tx.find("coupon", coupon_id) is not None:
        raise invalid_request("Coupon already exists.", code="resource_already_exists", param="id")
    products = (params.get("applies_to") or {}).get("products") or []
    for index, product in enumerate(products):
        tx.get("product", product, param=f"applies_to[products][{index}]")
    coupon = tx.put(
        {
            "id": coupon_id,
            "object": "coupon",
            "amount_off": amount_off,
            **({"applies_to": {"products": products}} if products else {}),
            "created": tx.now,
            "currency": None if amount_off is None else currency_of(params),
            "duration": duration,
            "duration_in_months": months,
            "livemode": False,
            "max_redemptions": params.get("max_redemptions"),
            "metadata": metadata.given(params),
            "name": params.get("name") or None,
            "percent_off": percent_off,
            "redeem_by": params.get("redeem_by"),
            "times_redeemed": 0,
            "valid": True,
        }
    )
    tx.emit("coupon.created", coupon)
    return coupon


def _check_worth(amount_off: int | None, percent_off: float | None) -> None:
    if (amount_off is None) == (percent_off is None):
        if amount_off is None:
            raise parameter_missing("percent_off")
        raise invalid_request(
            "You may only specify one of these parameters: amount_off, percent_off."
        )
    if amount_off is not None and amount_off < 1:
        raise parameter_invalid(
            "amount_off", "Invalid positive integer", "parameter_invalid_integer"
        )
    if percent_off is not None and not 0 < percent_off <= 100:
        raise parameter_invalid("percent_off", "Invalid percent_off: must be within (0, 100].")


def is_valid(tx: Transaction, coupon: Record) -> bool:
    """Whether the coupon can still be redeemed."""
    limit, last = coupon["max_redemptions"], coupon["redeem_by"]
    used_up = limit is not None and coupon["times_redeemed"] >= limit
    return not used_up and (last is None or tx.now <= last)


def rendered(tx: Transaction, coupon: Record) -> JsonObject:
    """The coupon as of now: it may have run out by the clock alone."""
    return {**coupon, "valid": is_valid(tx, coupon)}


def redeem(tx: Transaction, coupon: Record) -> JsonObject:
    """Count one redemption. One that is not valid any more: ApiError 400 `coupon_expired`."""
    if not is_valid(tx, coupon):
        raise state_conflict(f"Coupon expired: {coupon['id']}", code="coupon_expired")
    counted = {**coupon, "times_redeemed": coupon["times_redeemed"] + 1}
    return tx.put(rendered(tx, counted))


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/coupons/{id}"""
    return rendered(tx, tx.get("coupon", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/coupons/{id}: its name and metadata; what it is worth never changes."""
    before, params = tx.get("coupon", call.object_id), call.params
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if "name" in params:
        values["name"] = params["name"] or None
    return rendered(tx, tx.change(before, "coupon.updated", **values))


def delete(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v1/coupons/{id}: nobody redeems it any more; discounts given before stay."""
    coupon = tx.get("coupon", call.object_id)
    tx.put({**coupon, "deleted": True, "valid": False})
    tx.emit("coupon.deleted", {**coupon, "valid": False})
    return {"id": coupon["id"], "object": "coupon", "deleted": True}


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/coupons"""
    listed = page(created_within(tx.newest("coupon"), call.params), call.params, url="/v1/coupons")
    return {**listed, "data": [rendered(tx, coupon) for coupon in listed["data"]]}


OPERATIONS = (
    operation(
        "coupons.create",
        "POST /v1/coupons",
        create,
        "amount_off applies_to.products[] currency duration duration_in_months id "
        "max_redemptions metadata metadata.* name percent_off redeem_by",
    ),
    operation("coupons.list", "GET /v1/coupons", list_all),
    operation("coupons.retrieve", "GET /v1/coupons/{id}", retrieve),
    operation("coupons.update", "POST /v1/coupons/{id}", update, "metadata metadata.* name"),
    operation("coupons.delete", "DELETE /v1/coupons/{id}", delete),
)
