"""Prices: per unit, one-time or recurring and licensed. The amount never changes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stripe_double.engine.errors import invalid_request, parameter_invalid, parameter_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.products import new_product
from stripe_double.wire.lists import created_within, equal_to, page

_CURRENCY = re.compile(r"^[a-z]{3}$")
_MAX_INTERVALS = {"day": 1095, "week": 156, "month": 36, "year": 3}
_PRODUCT_DATA = "name active metadata.* statement_descriptor unit_label"
_MODELS = (
    "active billing_scheme currency lookup_key metadata metadata.* nickname product tax_behavior "
    "transfer_lookup_key unit_amount recurring.interval recurring.interval_count "
    "recurring.usage_type " + " ".join(f"product_data.{name}" for name in _PRODUCT_DATA.split())
)
_ONLY = {
    "billing_scheme": frozenset({"per_unit"}),
    "recurring.usage_type": frozenset({"licensed"}),
}


def new_price(tx: Transaction, params: JsonObject, *, param: str = "") -> JsonObject:
    """Create and announce a price. `param` prefixes parameter names in errors."""
    currency = currency_of(params, param)
    if params.get("unit_amount") is None:
        raise parameter_missing(_named(param, "unit_amount"))
    if params["unit_amount"] < 0:
        raise parameter_invalid(
            _named(param, "unit_amount"),
            "Invalid non-negative integer",
            "parameter_invalid_integer",
        )
    recurring = _recurring(params, param)
    price = tx.put(
        {
            "id": tx.new_id("price"),
            "object": "price",
            "active": params.get("active", True),
            "billing_scheme": "per_unit",
            "created": tx.now,
            "currency": currency,
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": _take_lookup_key(tx, params),
            "metadata": metadata.given(params),
            "nickname": params.get("nickname") or None,
            "product": _product_id(tx, params, param),
            "recurring": recurring,
            "tax_behavior": params.get("tax_behavior") or "unspecified",
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "one_time" if recurring is None else "recurring",
            "unit_amount": params["unit_amount"],
            "unit_amount_decimal": str(params["unit_amount"]),
        }
    )
    tx.emit("price.created", price)
    return price


def currency_of(params: JsonObject, param: str = "") -> str:
    """The currency parameter in lower case, or ApiError 400."""
    currency = str(params.get("currency") or "").lower()
    if not currency:
        raise parameter_missing(_named(param, "currency"))
    if not _CURRENCY.match(currency):
        raise parameter_invalid(_named(param, "currency"), f"Invalid currency: {currency}")
    return currency


def _named(prefix: str, *names: str) -> str:
    """A parameter's name as the caller wrote it, inside `prefix` if there is one."""
    first, *rest = [prefix, *names] if prefix else names
    return first + "".join(f"[{name}]" for name in rest)


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/prices"""
    return new_price(tx, call.params)


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/prices/{id}"""
    return dict(tx.get("price", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/prices/{id}"""
    before, params = tx.get("price", call.object_id), call.params
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if "active" in params:
        values["active"] = params["active"]
    if "nickname" in params:
        values["nickname"] = params["nickname"] or None
    if "lookup_key" in params and (params["lookup_key"] or None) != before["lookup_key"]:
        values["lookup_key"] = _take_lookup_key(tx, params)
    if params.get("tax_behavior"):
        values["tax_behavior"] = params["tax_behavior"]
    return tx.change(before, "price.updated", **values)


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/prices"""
    params = call.params
    where = equal_to(params, "active", "currency", "product", "type")
    found = created_within(tx.newest("price", where=where), params)
    if "lookup_keys" in params:
        found = (price for price in found if price["lookup_key"] in params["lookup_keys"])
    for name, value in params.get("recurring", {}).items():
        found = _with_recurring(found, name, value)
    return page(found, params, url="/v1/prices")


def _with_recurring(found: Iterator[Record], name: str, value: str) -> Iterator[Record]:
    return (p for p in found if p["recurring"] is not None and p["recurring"].get(name) == value)


def _recurring(params: JsonObject, param: str) -> JsonObject | None:
    given = params.get("recurring")
    if not given:
        return None
    count = given.get("interval_count", 1)
    if not 1 <= count <= _MAX_INTERVALS[given["interval"]]:
        raise parameter_invalid(
            _named(param, "recurring", "interval_count"),
            "The maximum interval of a recurring price is three years, the minimum is one.",
        )
    return {
        "interval": given["interval"],
        "interval_count": count,
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def _product_id(tx: Transaction, params: JsonObject, param: str) -> str:
    product, data = params.get("product"), params.get("product_data")
    if bool(product) == bool(data):
        if product:
            raise invalid_request(
                "You may only specify one of these parameters: product, product_data."
            )
        raise parameter_missing(_named(param, "product"))
    if data:
        return str(new_product(tx, data)["id"])
    return str(tx.get("product", str(product), param=_named(param, "product"))["id"])


def _take_lookup_key(tx: Transaction, params: JsonObject) -> str | None:
    key: str | None = params.get("lookup_key") or None
    holder = next(tx.newest("price", where={"lookup_key": key}), None) if key else None
    if holder is not None:
        if not params.get("transfer_lookup_key"):
            raise invalid_request(
                f"A price (`{holder['id']}`) already uses that lookup key.", param="lookup_key"
            )
        tx.change(holder, "price.updated", lookup_key=None)
    return key


OPERATIONS = (
    operation("prices.create", "POST /v1/prices", create, _MODELS, _ONLY),
    operation(
        "prices.list",
        "GET /v1/prices",
        list_all,
        "active currency product type lookup_keys[] recurring.interval recurring.usage_type",
    ),
    operation("prices.retrieve", "GET /v1/prices/{id}", retrieve),
    operation(
        "prices.update",
        "POST /v1/prices/{id}",
        update,
        "active lookup_key metadata metadata.* nickname tax_behavior transfer_lookup_key",
    ),
)
