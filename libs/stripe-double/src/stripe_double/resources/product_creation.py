"""A product, and with it the price that it is sold at by default."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.prices import new_price
from stripe_double.resources.products import MODELS, new_product


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/products"""
    params = call.params
    product = new_product(tx, params)
    data = params.get("default_price_data")
    if not data:
        return product
    price = new_price(tx, {**data, "product": product["id"]}, param="default_price_data")
    return tx.put({**product, "default_price": price["id"]})


_PRICE = "currency unit_amount tax_behavior metadata.* recurring.interval recurring.interval_count"
OPERATIONS = (
    operation(
        "products.create",
        "POST /v1/products",
        create,
        f"id {MODELS} " + " ".join(f"default_price_data.{name}" for name in _PRICE.split()),
    ),
)
