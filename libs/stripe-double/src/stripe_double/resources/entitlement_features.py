"""Features: what a product may give access to, under a key of the merchant's own."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request
from stripe_double.engine.records import JsonObject
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import equal_to, page

COLLECTION = "entitlements.feature"


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/entitlements/features. A lookup key belongs to one feature, archived or not."""
    params = call.params
    key = params["lookup_key"]
    holder = next(tx.newest(COLLECTION, where={"lookup_key": key}), None)
    if holder is not None:
        raise invalid_request(
            f"The feature {holder['id']} already uses the lookup key '{key}'.",
            code="resource_already_exists",
            param="lookup_key",
        )
    return tx.put(
        {
            "id": tx.new_id(COLLECTION),
            "object": COLLECTION,
            "active": True,
            "livemode": False,
            "lookup_key": key,
            "metadata": metadata.given(params),
            "name": params["name"],
        }
    )


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/entitlements/features/{id}"""
    return dict(tx.get(COLLECTION, call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/entitlements/features/{id}. Not active: no product may take it any more."""
    before, params = tx.get(COLLECTION, call.object_id), call.params
    values: JsonObject = {name: params[name] for name in ("active", "name") if name in params}
    return tx.change(before, metadata=metadata.merged(before, params), **values)


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/entitlements/features"""
    params = call.params
    where = equal_to(params, "lookup_key")
    if "archived" in params:
        where["active"] = not params["archived"]
    return page(tx.newest(COLLECTION, where=where), params, url="/v1/entitlements/features")


OPERATIONS = (
    operation(
        "entitlements.features.create",
        "POST /v1/entitlements/features",
        create,
        "lookup_key name metadata.*",
    ),
    operation(
        "entitlements.features.list",
        "GET /v1/entitlements/features",
        list_all,
        "archived lookup_key",
    ),
    operation("entitlements.features.retrieve", "GET /v1/entitlements/features/{id}", retrieve),
    operation(
        "entitlements.features.update",
        "POST /v1/entitlements/features/{id}",
        update,
        "active name metadata metadata.*",
    ),
)
