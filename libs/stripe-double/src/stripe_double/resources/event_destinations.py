"""Event destinations: the v2 way to have events sent, as snapshots or as thin notifications."""

from __future__ import annotations

from stripe_double.engine.delivery import SECRETS
from stripe_double.engine.errors import invalid_request, parameter_invalid, parameter_missing
from stripe_double.engine.event_types import PING
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.v2_lists import v2_page
from stripe_double.wire.versions.names import VERSIONS
from stripe_double.wire.versions.thin_events import thin_event, timestamp

COLLECTION = "v2.core.event_destination"
_URL = "/v2/core/event_destinations"


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v2/core/event_destinations"""
    params = call.params
    payload = params["event_payload"]
    version = params.get("snapshot_api_version")
    if payload == "thin" and version:
        raise invalid_request(
            "snapshot_api_version is for snapshot events only.", param="snapshot_api_version"
        )
    destination = tx.put(
        {
            "id": tx.new_id("event_destination"),
            "object": COLLECTION,
            "amazon_eventbridge": None,
            "azure_event_grid": None,
            "created": timestamp(tx.now),
            "description": params.get("description") or "",
            "enabled_events": _types(params),
            "event_payload": payload,
            "events_from": params.get("events_from") or ["@self"],
            "livemode": False,
            "metadata": metadata.given(params),
            "name": params["name"],
            "snapshot_api_version": _version(tx, version) if payload == "snapshot" else None,
            "status": "enabled",
            "status_details": None,
            "type": params["type"],
            "updated": timestamp(tx.now),
            "webhook_endpoint": {"signing_secret": None, "url": _url(params)},
        }
    )
    secret = tx.new_id("webhook_secret")
    tx.keep(SECRETS, {"id": destination["id"], "secrets": [secret]})
    return _shown(destination, params, secret=secret)


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v2/core/event_destinations/{id}"""
    return _shown(tx.get(COLLECTION, call.object_id), call.params)


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v2/core/event_destinations/{id}"""
    before, params = tx.get(COLLECTION, call.object_id), call.params
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    for name in ("description", "name"):
        if name in params:
            values[name] = params[name]
    if "enabled_events" in params:
        values["enabled_events"] = _types(params)
    if "webhook_endpoint" in params:
        values["webhook_endpoint"] = {"signing_secret": None, "url": _url(params)}
    return _shown(_changed(tx, before, **values), params)


def delete(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v2/core/event_destinations/{id}"""
    destination = tx.get(COLLECTION, call.object_id)
    tx.put({**destination, "deleted": True})
    return {"id": destination["id"], "object": COLLECTION}


def disable(tx: Transaction, call: Call) -> JsonObject:
    """POST /v2/core/event_destinations/{id}/disable"""
    before = tx.get(COLLECTION, call.object_id)
    details = {"disabled": {"reason": "user"}}
    return _shown(_changed(tx, before, status="disabled", status_details=details), call.params)


def enable(tx: Transaction, call: Call) -> JsonObject:
    """POST /v2/core/event_destinations/{id}/enable"""
    before = tx.get(COLLECTION, call.object_id)
    return _shown(_changed(tx, before, status="enabled", status_details=None), call.params)


def ping(tx: Transaction, call: Call) -> JsonObject:
    """POST /v2/core/event_destinations/{id}/ping: a thin event for this destination alone."""
    destination = tx.get(COLLECTION, call.object_id)
    return thin_event(tx.emit(PING, destination, to=[destination]))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v2/core/event_destinations"""
    listed = v2_page(tx.newest(COLLECTION), call.params, url=_URL)
    return {**listed, "data": [_shown(record, call.params) for record in listed["data"]]}


def _changed(tx: Transaction, before: Record, **values: object) -> JsonObject:
    return tx.put({**before, **values, "updated": timestamp(tx.now)})


def _shown(destination: Record, params: JsonObject, *, secret: str | None = None) -> JsonObject:
    """Without the address and the secret, unless the request includes them."""
    included = params.get("include") or []
    url = destination["webhook_endpoint"]["url"]
    shown = {
        "signing_secret": secret if "webhook_endpoint.signing_secret" in included else None,
        "url": url if "webhook_endpoint.url" in included else None,
    }
    return {**destination, "webhook_endpoint": shown}


def _types(params: JsonObject) -> list[str]:
    types: list[str] = params.get("enabled_events") or []
    if not types:
        raise parameter_missing("enabled_events")
    return types


def _version(tx: Transaction, version: str | None) -> str:
    if version and version not in VERSIONS:
        raise parameter_invalid("snapshot_api_version", f"{version} is not rendered.")
    return version or tx.options.account_api_version


def _url(params: JsonObject) -> str:
    url = str((params.get("webhook_endpoint") or {}).get("url") or "")
    if not url:
        raise parameter_missing("webhook_endpoint[url]")
    if not url.startswith(("http://", "https://")):
        raise parameter_invalid("webhook_endpoint[url]", "Invalid URL: a scheme is required.")
    return url


_MODELS = "description enabled_events[] include[] metadata metadata.* name webhook_endpoint.url"
OPERATIONS = (
    operation(
        "v2.core.event_destinations.create",
        f"POST {_URL}",
        create,
        f"{_MODELS} event_payload events_from[] snapshot_api_version type",
        {"type": frozenset({"webhook_endpoint"}), "events_from[]": frozenset({"@self"})},
    ),
    operation("v2.core.event_destinations.list", f"GET {_URL}", list_all, "include[]"),
    operation("v2.core.event_destinations.retrieve", f"GET {_URL}/{{id}}", retrieve, "include[]"),
    operation("v2.core.event_destinations.update", f"POST {_URL}/{{id}}", update, _MODELS),
    operation("v2.core.event_destinations.delete", f"DELETE {_URL}/{{id}}", delete),
    operation("v2.core.event_destinations.disable", f"POST {_URL}/{{id}}/disable", disable),
    operation("v2.core.event_destinations.enable", f"POST {_URL}/{{id}}/enable", enable),
    operation("v2.core.event_destinations.ping", f"POST {_URL}/{{id}}/ping", ping),
)
