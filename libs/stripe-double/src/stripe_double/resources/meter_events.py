"""Meter events: usage as it is reported, counted once per identifier within a day.

Stripe checks most of an event later and reports mistakes in an event of its own; here every check
is made at once and answered with 400 and the code that report would have.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from stripe_double.engine.errors import ApiError, invalid_request, parameter_invalid
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.meters import active_meter
from stripe_double.resources.operations import Call, operation

READINGS = "meter.reading"
"""Private collection: what was reported, by meter and customer (`series`)."""
_IDENTIFIERS = "meter.identifier"
"""Private collection: the last reading under an identifier."""

UNIQUE_SECONDS = 24 * 3600
PAST_SECONDS = 35 * 86_400
FUTURE_SECONDS = 5 * 60
_MAX_LENGTH = 100


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/billing/meter_events"""
    params = call.params
    name, payload = params["event_name"], params["payload"]
    meter = active_meter(tx, name)
    if meter is None:
        raise _refused("no_meter", f"No active meter found for the event name {name}.")
    timestamp = _timestamp(tx.now, params)
    identifier = params.get("identifier") or tx.new_id("billing.meter_event")
    if len(identifier) > _MAX_LENGTH:
        raise parameter_invalid("identifier", f"Must be at most {_MAX_LENGTH} characters.")
    _check_unique(tx, name, identifier)
    reading_id = f"{name}:{identifier}:{tx.now}"
    tx.keep(
        READINGS,
        {
            "id": reading_id,
            "canceled": False,
            "created": tx.now,
            "series": series_of(meter["id"], _customer(tx, meter, payload)),
            "timestamp": timestamp,
            "value": str(_value(meter, payload)),
        },
    )
    tx.keep(
        _IDENTIFIERS,
        {"id": f"{name}:{identifier}", "created": tx.now, "reading": reading_id},
    )
    tx.ledger.append(
        "effect",
        tx.now,
        action="created",
        object="billing.meter_event",
        id=identifier,
        request_id=tx.origin.request_id,
    )
    return {
        "object": "billing.meter_event",
        "created": tx.now,
        "event_name": name,
        "identifier": identifier,
        "livemode": False,
        "payload": payload,
        "timestamp": timestamp,
    }


def series_of(meter_id: str, customer_id: str) -> str:
    """The key of a customer's readings of a meter."""
    return f"{meter_id}:{customer_id}"


def reading_of(tx: Transaction, event_name: str, identifier: str) -> Record | None:
    """The reading under an identifier, while it is unique."""
    kept = tx.store.find(_IDENTIFIERS, f"{event_name}:{identifier}")
    if kept is None or kept["created"] + UNIQUE_SECONDS <= tx.now:
        return None
    return tx.store.find(READINGS, kept["reading"])


def _refused(code: str, message: str, param: str | None = None) -> ApiError:
    return invalid_request(message, code=code, param=param)


def _timestamp(now: int, params: JsonObject) -> int:
    timestamp: int = params.get("timestamp", now)
    if timestamp > now + FUTURE_SECONDS:
        raise _refused(
            "timestamp_in_future",
            "The timestamp must be at most 5 minutes in the future.",
            "timestamp",
        )
    if timestamp < now - PAST_SECONDS:
        raise _refused(
            "timestamp_too_far_in_past",
            "The timestamp must be within the past 35 days.",
            "timestamp",
        )
    return timestamp


def _check_unique(tx: Transaction, name: str, identifier: str) -> None:
    if reading_of(tx, name, identifier) is not None:
        raise _refused(
            "duplicate_meter_event",
            f"An event already exists with identifier {identifier}.",
            "identifier",
        )


def _customer(tx: Transaction, meter: Record, payload: Record) -> str:
    key = meter["customer_mapping"]["event_payload_key"]
    customer = tx.find("customer", payload.get(key, ""))
    if customer is None:
        raise _refused(
            "meter_event_customer_not_found",
            f"The payload's `{key}` names no customer.",
            f"payload[{key}]",
        )
    return str(customer["id"])


def _value(meter: Record, payload: Record) -> Decimal:
    if meter["default_aggregation"]["formula"] == "count":
        return Decimal(1)
    key = meter["value_settings"]["event_payload_key"]
    try:
        value = Decimal(payload.get(key, ""))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise _refused(
            "meter_event_invalid_value",
            f"The payload's `{key}` must be a number.",
            f"payload[{key}]",
        )
    return value


OPERATIONS = (
    operation(
        "billing.meter_events.create",
        "POST /v1/billing/meter_events",
        create,
        "event_name identifier payload.* timestamp",
    ),
)
