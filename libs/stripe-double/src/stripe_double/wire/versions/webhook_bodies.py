"""What a webhook carries: the whole event in the endpoint's version, or a thin notification."""

from __future__ import annotations

from stripe_double.engine.event_types import is_thin_only
from stripe_double.engine.records import JsonObject, Record
from stripe_double.wire.versions.object_changes import Find
from stripe_double.wire.versions.objects import render_event
from stripe_double.wire.versions.thin_events import notification


def body_for(event: Record, endpoint: Record, account_version: str, find: Find) -> JsonObject:
    """The body for a webhook endpoint or event destination."""
    if endpoint.get("event_payload") == "thin" or is_thin_only(event["type"]):
        return notification(event)
    own = endpoint.get("api_version") or endpoint.get("snapshot_api_version")
    version: str = own or account_version
    return {**render_event(event, version, find), "api_version": version}
