"""Billing meters: how events of one name are added up for each customer."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import equal_to, page

COLLECTION = "billing.meter"
LIFECYCLE = Lifecycle(
    "meter", {("active", "deactivate"): "inactive", ("inactive", "reactivate"): "active"}
)


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/billing/meters. One active meter per event name."""
    params = call.params
    if active_meter(tx, params["event_name"]) is not None:
        raise invalid_request(
            f"An active meter already exists for the event name {params['event_name']}.",
            code="resource_already_exists",
            param="event_name",
        )
    mapping = params.get("customer_mapping") or {}
    values = params.get("value_settings") or {}
    meter = tx.put(
        {
            "id": tx.new_id(COLLECTION),
            "object": COLLECTION,
            "created": tx.now,
            "customer_mapping": {
                "event_payload_key": mapping.get("event_payload_key") or "stripe_customer_id",
                "type": "by_id",
            },
            "default_aggregation": {"formula": params["default_aggregation"]["formula"]},
            "display_name": params["display_name"],
            "event_name": params["event_name"],
            "event_time_window": params.get("event_time_window") or None,
            "livemode": False,
            "status": "active",
            "status_transitions": {"deactivated_at": None},
            "updated": tx.now,
            "value_settings": {"event_payload_key": values.get("event_payload_key") or "value"},
        }
    )
    tx.emit("billing.meter.created", meter)
    return meter


def active_meter(tx: Transaction, event_name: str) -> Record | None:
    """The active meter of an event name."""
    where = {"event_name": event_name, "status": "active"}
    return next(tx.newest(COLLECTION, where=where), None)


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/billing/meters/{id}"""
    return dict(tx.get(COLLECTION, call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/billing/meters/{id}: its name for people is all that changes."""
    before = tx.get(COLLECTION, call.object_id)
    if not call.params.get("display_name"):
        return dict(before)
    return tx.change(
        before, "billing.meter.updated", display_name=call.params["display_name"], updated=tx.now
    )


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/billing/meters"""
    where = equal_to(call.params, "status")
    return page(tx.newest(COLLECTION, where=where), call.params, url="/v1/billing/meters")


def deactivate(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/billing/meters/{id}/deactivate"""
    return _move(tx, call, "deactivate", deactivated_at=tx.now)


def reactivate(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/billing/meters/{id}/reactivate"""
    return _move(tx, call, "reactivate", deactivated_at=None)


def _move(tx: Transaction, call: Call, action: str, *, deactivated_at: int | None) -> JsonObject:
    before = tx.get(COLLECTION, call.object_id)
    after = tx.put(
        {
            **before,
            "status": LIFECYCLE.next(before["status"], action),
            "status_transitions": {"deactivated_at": deactivated_at},
            "updated": tx.now,
        }
    )
    tx.emit(f"billing.meter.{action}d", after)
    return after


OPERATIONS = (
    operation(
        "billing.meters.create",
        "POST /v1/billing/meters",
        create,
        "display_name event_name event_time_window default_aggregation.formula "
        "customer_mapping.event_payload_key customer_mapping.type "
        "value_settings.event_payload_key",
        {"event_time_window": frozenset()},
    ),
    operation("billing.meters.list", "GET /v1/billing/meters", list_all, "status"),
    operation("billing.meters.retrieve", "GET /v1/billing/meters/{id}", retrieve),
    operation("billing.meters.update", "POST /v1/billing/meters/{id}", update, "display_name"),
    operation("billing.meters.deactivate", "POST /v1/billing/meters/{id}/deactivate", deactivate),
    operation("billing.meters.reactivate", "POST /v1/billing/meters/{id}/reactivate", reactivate),
)
