"""Webhook endpoints. Their secret is shown once, in the answer to create."""

from __future__ import annotations

from stripe_double.engine.delivery import SECRETS
from stripe_double.engine.errors import invalid_request, parameter_missing
from stripe_double.engine.records import JsonObject
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import event_destinations, metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import page
from stripe_double.wire.versions.names import VERSIONS

MAX_ENDPOINTS = 16


def new_endpoint(
    tx: Transaction, params: JsonObject, *, secrets: list[str] | None = None
) -> JsonObject:
    """Create an endpoint; the answer carries its secret."""
    url = _url(params)
    if not params.get("enabled_events"):
        raise parameter_missing("enabled_events")
    if sum(1 for _ in tx.newest("webhook_endpoint")) >= MAX_ENDPOINTS:
        raise invalid_request(
            f"You have reached the maximum of {MAX_ENDPOINTS} test webhook endpoints."
        )
    endpoint = tx.put(
        {
            "id": tx.new_id("webhook_endpoint"),
            "object": "webhook_endpoint",
            "api_version": params.get("api_version") or None,
            "application": None,
            "created": tx.now,
            "description": params.get("description") or None,
            "enabled_events": params["enabled_events"],
            "livemode": False,
            "metadata": metadata.given(params),
            "status": "enabled",
            "url": url,
        }
    )
    kept = secrets or [tx.new_id("webhook_secret")]
    tx.keep(SECRETS, {"id": endpoint["id"], "secrets": kept})
    return {**endpoint, "secret": kept[0]}


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/webhook_endpoints"""
    return new_endpoint(tx, call.params)


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/webhook_endpoints/{id}"""
    return dict(tx.get("webhook_endpoint", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/webhook_endpoints/{id}"""
    before, params = tx.get("webhook_endpoint", call.object_id), call.params
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if "description" in params:
        values["description"] = params["description"] or None
    if "disabled" in params:
        values["status"] = "disabled" if params["disabled"] else "enabled"
    if params.get("enabled_events"):
        values["enabled_events"] = params["enabled_events"]
    if "url" in params:
        values["url"] = _url(params)
    return tx.change(before, **values)


def delete(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v1/webhook_endpoints/{id}"""
    endpoint = tx.get("webhook_endpoint", call.object_id)
    tx.put({**endpoint, "deleted": True})
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/webhook_endpoints"""
    return page(tx.newest("webhook_endpoint"), call.params, url="/v1/webhook_endpoints")


def _url(params: JsonObject) -> str:
    url = str(params.get("url") or "")
    if not url:
        raise parameter_missing("url")
    if not url.startswith(("http://", "https://")):
        raise invalid_request("Invalid URL: an explicit scheme is required.", param="url")
    return url


_MODELS = "url enabled_events[] description metadata metadata.*"
OPERATIONS = (
    operation(
        "webhook_endpoints.create",
        "POST /v1/webhook_endpoints",
        create,
        f"{_MODELS} api_version connect",
        {"api_version": frozenset(VERSIONS), "connect": frozenset({False})},
    ),
    operation("webhook_endpoints.list", "GET /v1/webhook_endpoints", list_all),
    operation("webhook_endpoints.retrieve", "GET /v1/webhook_endpoints/{id}", retrieve),
    operation(
        "webhook_endpoints.update",
        "POST /v1/webhook_endpoints/{id}",
        update,
        f"{_MODELS} disabled",
    ),
    operation("webhook_endpoints.delete", "DELETE /v1/webhook_endpoints/{id}", delete),
    *event_destinations.OPERATIONS,
)
