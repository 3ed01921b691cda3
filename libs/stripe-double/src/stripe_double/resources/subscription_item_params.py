"""The `items` that a caller gives for a subscription: new ones, changed ones, deleted ones."""

from __future__ import annotations

from collections.abc import Sequence

from stripe_double.engine.errors import invalid_request, parameter_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.item_prices import quantity_of, recurring_price
from stripe_double.resources.subscription_objects import item_record

MAX_ITEMS = 20
_NO_PERIOD = (0, 0)


def new_items(tx: Transaction, subscription_id: str, given: list[Record]) -> list[JsonObject]:
    """The items of a new subscription, periods not set yet, or ApiError 400."""
    if not given:
        raise parameter_missing("items")
    items = [_new_item(tx, subscription_id, one, index) for index, one in enumerate(given)]
    _check(items, items[0]["price"]["currency"])
    return items


def changed_items(tx: Transaction, subscription: Record, given: list[Record]) -> list[Record]:
    """The items after an update with `items`; what is not named stays. ApiError 400."""
    items = {item["id"]: item for item in subscription["items"]["data"]}
    for index, one in enumerate(given):
        item_id = one.get("id")
        if not item_id:
            item = _new_item(tx, subscription["id"], one, index)
            items[item["id"]] = item
        elif item_id not in items:
            raise invalid_request(
                f"No such subscription item: '{item_id}'",
                code="resource_missing",
                param=f"items[{index}][id]",
            )
        elif one.get("deleted"):
            del items[item_id]
        else:
            items[item_id] = _changed(tx, items[item_id], one, index)
    after = list(items.values())
    if not after:
        raise invalid_request("A subscription must have at least one active price.", param="items")
    _check(after, subscription["currency"])
    return after


def _new_item(tx: Transaction, subscription_id: str, given: Record, index: int) -> JsonObject:
    name = f"items[{index}]"
    return item_record(
        tx,
        subscription_id,
        price=recurring_price(tx, given, name),
        quantity=quantity_of(given, name),
        period=_NO_PERIOD,
        metadata=metadata.given(dict(given)),
    )


def _changed(tx: Transaction, item: Record, given: Record, index: int) -> JsonObject:
    name = f"items[{index}]"
    after = {**item, "metadata": metadata.merged(item, dict(given))}
    if given.get("price") == item["price"]["id"]:
        given = {key: value for key, value in given.items() if key != "price"}
    if given.get("price") or given.get("price_data"):
        after["price"] = recurring_price(tx, given, name)
    after["quantity"] = quantity_of(given, name, default=item["quantity"])
    return after


def _check(items: Sequence[Record], currency: str) -> None:
    if len(items) > MAX_ITEMS:
        raise invalid_request(f"A subscription can have at most {MAX_ITEMS} items.", param="items")
    if any(item["price"]["currency"] != currency for item in items):
        raise invalid_request(
            "All prices on a subscription must have the same currency.", param="items"
        )
    seen = set()
    for item in items:
        price_id = item["price"]["id"]
        if price_id in seen:
            raise invalid_request(
                f"Cannot add multiple subscription items with the same price: {price_id}",
                param="items",
            )
        seen.add(price_id)
