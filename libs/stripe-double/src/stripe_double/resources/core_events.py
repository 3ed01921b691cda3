"""Thin events of the last 30 days: each v1 event has a thin twin, some events are thin only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from stripe_double.engine.errors import invalid_request, parameter_invalid, resource_missing
from stripe_double.engine.event_types import thin_type
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.v2_lists import v2_page
from stripe_double.wire.versions.thin_events import related_object, snapshot_id, thin_event

KEPT_SECONDS = 30 * 86_400
MAX_TYPES = 20
_BOUNDS: dict[str, Callable[[float, float], bool]] = {
    "gt": lambda created, bound: created > bound,
    "gte": lambda created, bound: created >= bound,
    "lt": lambda created, bound: created < bound,
    "lte": lambda created, bound: created <= bound,
}


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v2/core/events/{id}"""
    event_id = snapshot_id(call.object_id)
    event = None if event_id is None else tx.find("event", event_id)
    if event is None or event["created"] < tx.now - KEPT_SECONDS:
        raise resource_missing("event", call.object_id)
    return thin_event(event)


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v2/core/events"""
    params = call.params
    types = params.get("types") or []
    if len(types) > MAX_TYPES:
        raise invalid_request(f"You may pass at most {MAX_TYPES} types.", param="types")
    bounds = {name: _seconds(value, name) for name, value in params.get("created", {}).items()}
    object_id = params.get("object_id")
    found = (
        thin_event(event)
        for event in _listed(tx)
        if (not types or thin_type(event["type"]) in types)
        and (object_id is None or _is_about(event, object_id))
        and all(_BOUNDS[name](event["created"], bound) for name, bound in bounds.items())
    )
    return v2_page(found, params, url="/v2/core/events")


def _listed(tx: Transaction) -> Iterator[Record]:
    earliest = tx.now - KEPT_SECONDS
    latest = tx.now - tx.options.event_list_lag_seconds
    return (event for event in tx.newest("event") if earliest <= event["created"] <= latest)


def _is_about(event: Record, object_id: str) -> bool:
    related = related_object(event["data"]["object"])
    return related is not None and related["id"] == object_id


def _seconds(value: str, name: str) -> float:
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError as error:
        raise parameter_invalid(f"created[{name}]", f"Not a timestamp: {value}") from error


OPERATIONS = (
    operation(
        "v2.core.events.list",
        "GET /v2/core/events",
        list_all,
        "object_id types[]",
    ),
    operation("v2.core.events.retrieve", "GET /v2/core/events/{id}", retrieve),
)
