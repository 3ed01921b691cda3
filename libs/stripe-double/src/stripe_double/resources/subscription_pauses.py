"""Two kinds of pause: the status `paused`, and `pause_collection` beside any status."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction


def collection_pause(tx: Transaction, before: Record, params: JsonObject) -> JsonObject:
    """What the parameter `pause_collection` sets, if it was given."""
    if "pause_collection" not in params:
        return {}
    given = params["pause_collection"]
    if not given:
        return {"pause_collection": None}
    resumes_at = given.get("resumes_at")
    if resumes_at is not None and resumes_at <= tx.now:
        raise invalid_request(
            "`resumes_at` must be in the future.", param="pause_collection[resumes_at]"
        )
    if before["status"] == "incomplete":
        raise invalid_request("An incomplete subscription cannot be paused.")
    return {"pause_collection": {"behavior": given["behavior"], "resumes_at": resumes_at}}


def paused_status(tx: Transaction, reason: str) -> JsonObject:
    """The `status_details` of a subscription that is paused now."""
    return {
        "paused": {
            "subscription": {"type": reason},
            "transitioned_at": tx.now,
            "type": "subscription",
        }
    }
