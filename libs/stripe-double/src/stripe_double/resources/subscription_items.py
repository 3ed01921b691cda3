"""The API of subscription items: each change is an update of the subscription that holds it."""

from __future__ import annotations

from stripe_double.engine.errors import ApiError, invalid_request, resource_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import subscription_updates
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.subscription_objects import holder_of
from stripe_double.wire.lists import page

_OF_THE_UPDATE = ("payment_behavior", "proration_behavior", "proration_date")
_OF_THE_ITEM = ("metadata", "price", "price_data", "quantity")


def create(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """POST /v1/subscription_items"""
    params = call.params
    subscription = tx.get("subscription", params["subscription"], param="subscription")
    stand_at(tx, subscription)
    known = {item["id"] for item in subscription["items"]["data"]}
    after = _change(tx, subscription, params, _item_params(params))
    if isinstance(after, ApiError):
        return after
    pending = after["pending_update"] or {"subscription_items": []}
    for item in [*after["items"]["data"], *pending["subscription_items"]]:
        if item["id"] not in known:
            return dict(item)
    message = "an update that adds an item has a new item"
    raise RuntimeError(message)


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/subscription_items/{id}"""
    return dict(_found(tx, call.object_id)[1])


def update(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """POST /v1/subscription_items/{id}"""
    subscription, _ = _found(tx, call.object_id)
    stand_at(tx, subscription)
    given = {"id": call.object_id, **_item_params(call.params)}
    after = _change(tx, subscription, call.params, given)
    return after if isinstance(after, ApiError) else dict(_found(tx, call.object_id)[1])


def delete(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """DELETE /v1/subscription_items/{id}. The last one cannot be deleted."""
    subscription, item = _found(tx, call.object_id)
    stand_at(tx, subscription)
    if len(subscription["items"]["data"]) == 1:
        raise invalid_request(
            "A subscription must have at least one active price. Cancel the subscription instead."
        )
    after = _change(tx, subscription, call.params, {"id": item["id"], "deleted": True})
    if isinstance(after, ApiError):
        return after
    return {"id": item["id"], "object": "subscription_item", "deleted": True}


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/subscription_items"""
    subscription = tx.get("subscription", call.params["subscription"], param="subscription")
    url = f"/v1/subscription_items?subscription={subscription['id']}"
    return page(subscription["items"]["data"], call.params, url=url)


def _change(
    tx: Transaction, subscription: Record, params: JsonObject, item: JsonObject
) -> JsonObject | ApiError:
    given = {name: params[name] for name in _OF_THE_UPDATE if name in params}
    return subscription_updates.change(tx, subscription, {**given, "items": [item]})


def _item_params(params: JsonObject) -> JsonObject:
    return {name: params[name] for name in _OF_THE_ITEM if name in params}


def _found(tx: Transaction, item_id: str) -> tuple[Record, Record]:
    """The subscription that holds the item, and the item; ApiError 404."""
    holder = holder_of(tx, item_id)
    subscription = None if holder is None else tx.find("subscription", holder)
    for item in [] if subscription is None else subscription["items"]["data"]:
        if subscription is not None and item["id"] == item_id:
            return subscription, item
    raise resource_missing("subscription_item", item_id, status=404)


_PRICE_DATA = (
    "price_data.currency price_data.product price_data.unit_amount price_data.recurring.interval "
    "price_data.recurring.interval_count"
)
_BEHAVIOURS = "payment_behavior proration_behavior proration_date"
OPERATIONS = (
    operation(
        "subscription_items.create",
        "POST /v1/subscription_items",
        create,
        f"subscription price quantity metadata.* {_PRICE_DATA} {_BEHAVIOURS}",
    ),
    operation("subscription_items.list", "GET /v1/subscription_items", list_all, "subscription"),
    operation("subscription_items.retrieve", "GET /v1/subscription_items/{id}", retrieve),
    operation(
        "subscription_items.update",
        "POST /v1/subscription_items/{id}",
        update,
        f"price quantity metadata metadata.* {_PRICE_DATA} {_BEHAVIOURS}",
    ),
    operation(
        "subscription_items.delete",
        "DELETE /v1/subscription_items/{id}",
        delete,
        _BEHAVIOURS,
    ),
)
