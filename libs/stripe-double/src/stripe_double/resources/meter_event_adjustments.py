"""Meter event adjustments: taking back an event within a day of its receipt."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, parameter_missing
from stripe_double.engine.records import JsonObject
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.meter_events import READINGS, reading_of
from stripe_double.resources.operations import Call, operation


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/billing/meter_event_adjustments. Done at once, where Stripe takes a moment."""
    params = call.params
    identifier = (params.get("cancel") or {}).get("identifier")
    if not identifier:
        raise parameter_missing("cancel[identifier]")
    reading = reading_of(tx, params["event_name"], identifier)
    if reading is None:
        raise invalid_request(
            f"No event with the identifier {identifier} was received within the last 24 hours.",
            code="resource_missing",
            param="cancel[identifier]",
        )
    tx.keep(READINGS, {**reading, "canceled": True})
    tx.ledger.append(
        "effect",
        tx.now,
        action="created",
        object="billing.meter_event_adjustment",
        id=identifier,
        request_id=tx.origin.request_id,
    )
    return {
        "object": "billing.meter_event_adjustment",
        "cancel": {"identifier": identifier},
        "event_name": params["event_name"],
        "livemode": False,
        "status": "complete",
        "type": params["type"],
    }


OPERATIONS = (
    operation(
        "billing.meter_event_adjustments.create",
        "POST /v1/billing/meter_event_adjustments",
        create,
        "cancel.identifier event_name type",
    ),
)
