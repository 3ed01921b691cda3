"""Which events have which form. Most have both: a snapshot and a thin twin."""

from __future__ import annotations

from stripe_double.engine.records import Record

PING = "v2.core.event_destination.ping"
_THIN_ONLY = frozenset({"billing.meter.error_report_triggered", "billing.meter.no_meter_found"})


def is_thin_only(event_type: str) -> bool:
    """Whether an event of this type has no snapshot: no v1 API shows it."""
    return event_type in _THIN_ONLY or event_type.startswith("v2.")


def thin_type(event_type: str) -> str:
    """The type of the thin form: `v1.invoice.paid`."""
    return event_type if event_type.startswith("v2.") else f"v1.{event_type}"


def wants(endpoint: Record, event_type: str) -> bool:
    """Whether a webhook endpoint or event destination is to have events of this type."""
    if endpoint.get("deleted") or endpoint["status"] != "enabled":
        return False
    is_thin = endpoint.get("event_payload") == "thin"
    if is_thin_only(event_type) and not is_thin:
        return False
    enabled = endpoint["enabled_events"]
    return "*" in enabled or (thin_type(event_type) if is_thin else event_type) in enabled
