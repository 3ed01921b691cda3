"""Thin events: the v2 form of an event, which names the object it is about and does not carry it.

Derived from the v1 event, whose id it can be traced to: `evt_…` becomes `evt_test_…`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from stripe_double.engine.event_types import is_thin_only, thin_type
from stripe_double.engine.records import JsonObject, Record

PREFIX = "evt_test_"
_FETCHED_AT = {
    "billing.alert": "/v1/billing/alerts/{id}",
    "billing.credit_grant": "/v1/billing/credit_grants/{id}",
    "billing.meter": "/v1/billing/meters/{id}",
    "billing_portal.configuration": "/v1/billing_portal/configurations/{id}",
    "billing_portal.session": "/v1/billing_portal/sessions/{id}",
    "checkout.session": "/v1/checkout/sessions/{id}",
    "entitlements.active_entitlement": "/v1/entitlements/active_entitlements/{id}",
    "entitlements.feature": "/v1/entitlements/features/{id}",
    "invoiceitem": "/v1/invoiceitems/{id}",
    "radar.early_fraud_warning": "/v1/radar/early_fraud_warnings/{id}",
    "v2.core.event_destination": "/v2/core/event_destinations/{id}",
    "test_helpers.test_clock": "/v1/test_helpers/test_clocks/{id}",
}


def thin_id(event_id: str) -> str:
    """The id of the thin twin of a v1 event."""
    return PREFIX + event_id.removeprefix("evt_")


def snapshot_id(event_id: str) -> str | None:
    """The id of the v1 event behind a thin one; None for an id that is not a thin event's."""
    return f"evt_{event_id.removeprefix(PREFIX)}" if event_id.startswith(PREFIX) else None


def notification(event: Record) -> JsonObject:
    """What is posted to a thin destination."""
    return {
        "id": thin_id(event["id"]),
        "object": "v2.core.event",
        "type": thin_type(event["type"]),
        "livemode": False,
        "created": timestamp(event["created"]),
        "context": None,
        "related_object": related_object(event["data"]["object"]),
    }


def thin_event(event: Record) -> JsonObject:
    """What `GET /v2/core/events/{id}` answers."""
    request = event["request"]
    # Stripe types the key as a string, so a request without one has an empty one.
    cause = {"id": request["id"], "idempotency_key": request["idempotency_key"] or ""}
    reason = None if request["id"] is None else {"type": "request", "request": cause}
    return {
        **notification(event),
        "data": event.get("thin_data") or {},
        "reason": reason,
        "snapshot_event": None if is_thin_only(event["type"]) else event["id"],
    }


def related_object(subject: Record) -> JsonObject | None:
    """What the event is about; None when that has no id to be fetched by."""
    kind, object_id = subject.get("object"), subject.get("id")
    if not isinstance(kind, str) or not object_id:
        return None
    path = _FETCHED_AT.get(kind, f"/v1/{kind.replace('.', '/')}s/{{id}}")
    return {"id": object_id, "type": kind, "url": path.replace("{id}", object_id)}


def timestamp(seconds: float) -> str:
    """A virtual second as the v2 API writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
