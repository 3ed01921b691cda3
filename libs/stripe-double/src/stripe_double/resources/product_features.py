"""Product features: which features a product gives access to."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, resource_missing, state_conflict
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import entitlement_features
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import page

PRODUCTS = "product_feature.product"
"""Private collection: the product of each product feature, which Stripe's object does not name."""


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/products/{id}/features. Running subscriptions follow at their next period."""
    product = tx.get("product", call.object_id)
    wanted = call.params["entitlement_feature"]
    feature = tx.get(entitlement_features.COLLECTION, wanted, param="entitlement_feature")
    if not feature["active"]:
        raise state_conflict(f"The feature {wanted} is archived.")
    if wanted in features_of(tx, product["id"]):
        raise invalid_request(
            f"The product {product['id']} has the feature {wanted} already.",
            code="resource_already_exists",
            param="entitlement_feature",
        )
    made = tx.put(
        {
            "id": tx.new_id("product_feature"),
            "object": "product_feature",
            "entitlement_feature": dict(feature),
            "livemode": False,
        }
    )
    tx.keep(
        PRODUCTS, {"id": made["id"], "product": product["id"], "feature": wanted, "gone": False}
    )
    return made


def features_of(tx: Transaction, product_id: str) -> list[str]:
    """Ids of the features a product has now, oldest first."""
    where = {"product": product_id, "gone": False}
    return [kept["feature"] for kept in tx.store.newest(PRODUCTS, where=where)][::-1]


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/products/{id}/features/{id}"""
    return _shown(tx, _find(tx, call))


def delete(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v1/products/{id}/features/{id}. Running subscriptions follow at their next period."""
    found = _find(tx, call)
    tx.put({**found, "deleted": True})
    kept = tx.store.find(PRODUCTS, found["id"]) or {}
    tx.keep(PRODUCTS, {**kept, "gone": True})
    return {"id": found["id"], "object": "product_feature", "deleted": True}


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/products/{id}/features"""
    product = tx.get("product", call.object_id)
    where = {"product": product["id"], "gone": False}
    ids = (kept["id"] for kept in tx.store.newest(PRODUCTS, where=where))
    found = (_shown(tx, tx.get("product_feature", made)) for made in ids)
    return page(found, call.params, url=f"/v1/products/{product['id']}/features")


def _find(tx: Transaction, call: Call) -> Record:
    product_id, made_id = call.ids
    kept = tx.store.find(PRODUCTS, made_id)
    if kept is None or kept["product"] != product_id:
        raise resource_missing("product_feature", made_id)
    return tx.get("product_feature", made_id)


def _shown(tx: Transaction, made: Record) -> JsonObject:
    """With the feature as it is now."""
    feature = tx.get(entitlement_features.COLLECTION, made["entitlement_feature"]["id"])
    return {**made, "entitlement_feature": dict(feature)}


OPERATIONS = (
    operation(
        "products.features.create",
        "POST /v1/products/{id}/features",
        create,
        "entitlement_feature",
    ),
    operation("products.features.list", "GET /v1/products/{id}/features", list_all),
    operation("products.features.retrieve", "GET /v1/products/{id}/features/{id}", retrieve),
    operation("products.features.delete", "DELETE /v1/products/{id}/features/{id}", delete),
)
