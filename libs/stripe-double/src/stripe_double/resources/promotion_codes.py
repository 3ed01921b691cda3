"""Promotion codes: words a buyer types to get a coupon."""

from __future__ import annotations

from stripe_double.engine.errors import (
    invalid_request,
    parameter_invalid,
    parameter_missing,
    state_conflict,
)
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import coupons, metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, page

_PAID = frozenset({"complete"})


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/promotion_codes"""
    params = call.params
    promotion = params.get("promotion")
    if not promotion:
        raise parameter_missing("promotion")
    if not promotion.get("coupon"):
        raise parameter_missing("promotion[coupon]")
    coupon = tx.get("coupon", promotion["coupon"], param="promotion[coupon]")
    if not coupons.is_valid(tx, coupon):
        raise state_conflict(f"Coupon expired: {coupon['id']}", code="coupon_expired")
    code = params.get("code") or tx.new_id("coupon").upper()
    if _active_with(tx, code) is not None and params.get("active", True):
        raise invalid_request(
            "An active promotion code with `code: {code}` already exists.".replace("{code}", code),
            code="resource_already_exists",
            param="code",
        )
    customer = params.get("customer") or None
    if customer is not None:
        tx.get("customer", customer, param="customer")
    restrictions = params.get("restrictions") or {}
    if (restrictions.get("minimum_amount") is None) != (
        restrictions.get("minimum_amount_currency") is None
    ):
        raise parameter_invalid(
            "restrictions[minimum_amount_currency]",
            "`minimum_amount` and `minimum_amount_currency` go together.",
        )
    promotion_code = tx.put(
        {
            "id": tx.new_id("promotion_code"),
            "object": "promotion_code",
            "active": params.get("active", True),
            "code": code,
            "created": tx.now,
            "customer": customer,
            "customer_account": None,
            "expires_at": params.get("expires_at"),
            "livemode": False,
            "max_redemptions": params.get("max_redemptions"),
            "metadata": metadata.given(params),
            "promotion": {"coupon": coupon["id"], "type": "coupon"},
            "restrictions": {
                "first_time_transaction": restrictions.get("first_time_transaction", False),
                "minimum_amount": restrictions.get("minimum_amount"),
                "minimum_amount_currency": restrictions.get("minimum_amount_currency"),
            },
            "times_redeemed": 0,
        }
    )
    tx.emit("promotion_code.created", promotion_code)
    return promotion_code


def coupon_of(tx: Transaction, promotion_code: Record) -> Record:
    """The coupon that the code gives."""
    return tx.store.find("coupon", promotion_code["promotion"]["coupon"]) or {}


def is_active(tx: Transaction, promotion_code: Record) -> bool:
    """Whether the code can be redeemed now, by the right customer."""
    limit, last = promotion_code["max_redemptions"], promotion_code["expires_at"]
    used_up = limit is not None and promotion_code["times_redeemed"] >= limit
    coupon = coupon_of(tx, promotion_code)
    usable = not coupon.get("deleted") and coupons.is_valid(tx, coupon)
    in_time = last is None or tx.now <= last
    return bool(promotion_code["active"]) and not used_up and in_time and usable


def rendered(tx: Transaction, promotion_code: Record) -> JsonObject:
    """The code as of now: it may have run out by the clock alone."""
    return {**promotion_code, "active": is_active(tx, promotion_code)}


def find_by_code(tx: Transaction, code: str) -> Record | None:
    """The active promotion code that a buyer typed; letter case does not matter."""
    return _active_with(tx, code)


def check_redeemable(
    tx: Transaction, promotion_code: Record, *, customer: str | None, amount: int, currency: str
) -> None:
    """ApiError 400 unless this customer may use the code on this purchase."""
    if not is_active(tx, promotion_code):
        raise state_conflict(
            f"This promotion code is expired or inactive: {promotion_code['id']}.",
            code="promotion_code_expired",
        )
    if promotion_code["customer"] not in (None, customer):
        raise state_conflict(
            "This promotion code cannot be redeemed by this customer.",
            code="promotion_code_customer_mismatch",
        )
    rules = promotion_code["restrictions"]
    minimum = rules["minimum_amount"]
    if minimum is not None and (currency != rules["minimum_amount_currency"] or amount < minimum):
        raise state_conflict(
            f"This promotion code needs a purchase of at least {minimum} "
            f"{rules['minimum_amount_currency']} minor units.",
            code="promotion_code_minimum_amount",
        )
    if rules["first_time_transaction"] and customer and _has_bought(tx, customer):
        raise state_conflict(
            "This promotion code cannot be redeemed because the associated customer has prior "
            "transactions.",
            code="customer_has_prior_transactions",
        )


def redeem(tx: Transaction, promotion_code: Record) -> JsonObject:
    """Count one redemption of the code; its coupon is counted apart."""
    counted = {**promotion_code, "times_redeemed": promotion_code["times_redeemed"] + 1}
    return tx.put(rendered(tx, counted))


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/promotion_codes/{id}"""
    return rendered(tx, tx.get("promotion_code", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/promotion_codes/{id}"""
    before, params = tx.get("promotion_code", call.object_id), call.params
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if "active" in params:
        values["active"] = params["active"]
    return rendered(tx, tx.change(before, "promotion_code.updated", **values))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/promotion_codes"""
    params = call.params
    where = equal_to(params, "customer")
    found = created_within(tx.newest("promotion_code", where=where), params)
    if "code" in params:
        found = (p for p in found if p["code"].lower() == params["code"].lower())
    if "coupon" in params:
        found = (p for p in found if p["promotion"]["coupon"] == params["coupon"])
    if "active" in params:
        found = (p for p in found if is_active(tx, p) == params["active"])
    listed = page(found, params, url="/v1/promotion_codes")
    return {**listed, "data": [rendered(tx, code) for code in listed["data"]]}


def _active_with(tx: Transaction, code: str) -> Record | None:
    wanted = code.lower()
    found = (p for p in tx.newest("promotion_code") if p["code"].lower() == wanted)
    return next((p for p in found if is_active(tx, p)), None)


def _has_bought(tx: Transaction, customer: str) -> bool:
    charges = tx.newest("charge", where={"customer": customer})
    return any(charge["paid"] for charge in charges)


OPERATIONS = (
    operation(
        "promotion_codes.create",
        "POST /v1/promotion_codes",
        create,
        "active code customer expires_at max_redemptions metadata metadata.* promotion.coupon "
        "promotion.type restrictions.first_time_transaction restrictions.minimum_amount "
        "restrictions.minimum_amount_currency",
    ),
    operation(
        "promotion_codes.list",
        "GET /v1/promotion_codes",
        list_all,
        "active code coupon customer",
    ),
    operation("promotion_codes.retrieve", "GET /v1/promotion_codes/{id}", retrieve),
    operation(
        "promotion_codes.update",
        "POST /v1/promotion_codes/{id}",
        update,
        "active metadata metadata.*",
    ),
)
