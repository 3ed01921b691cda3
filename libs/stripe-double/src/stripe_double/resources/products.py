"""Products."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, parameter_missing
from stripe_double.engine.records import JsonObject
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, page

_TEXTS = ("description", "statement_descriptor", "tax_code", "unit_label", "url")
MODELS = (
    "active description images[] marketing_features[].name metadata metadata.* name shippable "
    "statement_descriptor tax_code unit_label url"
)


def new_product(tx: Transaction, params: JsonObject) -> JsonObject:
    """Create and announce a product from typed parameters."""
    if not params.get("name"):
        raise parameter_missing("name")
    product_id = params.get("id") or tx.new_id("product")
    if tx.find("product", product_id) is not None:
        raise invalid_request(
            f"Product already exists: {product_id}", code="resource_already_exists", param="id"
        )
    product = tx.put(
        {
            "id": product_id,
            "object": "product",
            "active": params.get("active", True),
            "created": tx.now,
            "default_price": None,
            "description": params.get("description") or None,
            "images": params.get("images") or [],
            "livemode": False,
            "marketing_features": [dict(one) for one in params.get("marketing_features") or []],
            "metadata": metadata.given(params),
            "name": params["name"],
            "package_dimensions": None,
            "shippable": params.get("shippable"),
            "statement_descriptor": params.get("statement_descriptor") or None,
            "tax_code": params.get("tax_code") or None,
            "tax_details": None,
            "type": "service",
            "unit_label": params.get("unit_label") or None,
            "updated": tx.now,
            "url": params.get("url") or None,
        }
    )
    tx.emit("product.created", product)
    return product


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/products/{id}"""
    return dict(tx.get("product", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/products/{id}"""
    before, params = tx.get("product", call.object_id), call.params
    values: JsonObject = {name: params[name] or None for name in _TEXTS if name in params}
    values |= {name: params[name] for name in ("active", "name") if params.get(name) is not None}
    if "images" in params:
        values["images"] = params["images"] or []
    if "marketing_features" in params:
        features = params["marketing_features"] or []
        values["marketing_features"] = [dict(one) for one in features]
    if "shippable" in params:
        values["shippable"] = params["shippable"]
    if params.get("default_price"):
        values["default_price"] = tx.get("price", params["default_price"], param="default_price")[
            "id"
        ]
    values["metadata"] = metadata.merged(before, params)
    return tx.change(before, "product.updated", updated=tx.now, **values)


def delete(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v1/products/{id}. A product with prices cannot be deleted."""
    product = tx.get("product", call.object_id)
    if any(tx.newest("price", where={"product": product["id"]})):
        raise invalid_request(
            "This product cannot be deleted because it has one or more user-created prices."
        )
    tx.put({**product, "deleted": True})
    tx.emit("product.deleted", product)
    return {"id": product["id"], "object": "product", "deleted": True}


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/products"""
    params = call.params
    where = equal_to(params, "active", "url")
    found = created_within(tx.newest("product", where=where), params)
    if "ids" in params:
        found = (product for product in found if product["id"] in params["ids"])
    return page(found, params, url="/v1/products")


OPERATIONS = (
    operation("products.list", "GET /v1/products", list_all, "active url ids[]"),
    operation("products.retrieve", "GET /v1/products/{id}", retrieve),
    operation("products.update", "POST /v1/products/{id}", update, f"default_price {MODELS}"),
    operation("products.delete", "DELETE /v1/products/{id}", delete),
)
