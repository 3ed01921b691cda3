"""Customers."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.subscriptions import TERMINAL, end_subscription
from stripe_double.wire.lists import created_within, page

_PLAIN = ("description", "email", "name", "phone")
_MODELS = (
    "description email name phone metadata metadata.* preferred_locales[] tax_exempt "
    "address.city address.country address.line1 address.line2 address.postal_code address.state"
)


def new_customer(tx: Transaction, params: JsonObject) -> JsonObject:
    """Create and announce a customer from typed parameters."""
    customer = tx.put(
        {
            "id": tx.new_id("customer"),
            "object": "customer",
            "address": _address(params),
            "balance": 0,
            "cash_balance": None,
            "created": tx.now,
            "currency": None,
            "customer_account": None,
            "default_source": None,
            "delinquent": False,
            "description": params.get("description") or None,
            "discount": None,
            "email": params.get("email") or None,
            "invoice_prefix": tx.new_id("invoice_prefix").upper(),
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": None,
                "footer": None,
                "rendering_options": None,
            },
            "livemode": False,
            "metadata": metadata.given(params),
            "name": params.get("name") or None,
            "next_invoice_sequence": 1,
            "phone": params.get("phone") or None,
            "preferred_locales": params.get("preferred_locales") or [],
            "shipping": None,
            "tax_exempt": params.get("tax_exempt") or "none",
            "test_clock": None,
        }
    )
    tx.emit("customer.created", customer)
    return customer


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/customers"""
    return new_customer(tx, call.params)


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/customers/{id}. A deleted customer answers its tombstone, as at Stripe."""
    record = tx.store.find("customer", call.object_id)
    if record is not None and record.get("deleted"):
        return {"id": record["id"], "object": "customer", "deleted": True}
    return dict(tx.get("customer", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/customers/{id}"""
    before, params = tx.get("customer", call.object_id), call.params
    values: JsonObject = {name: params[name] or None for name in _PLAIN if name in params}
    if "address" in params:
        values["address"] = _address(params)
    if "preferred_locales" in params:
        values["preferred_locales"] = params["preferred_locales"] or []
    if "tax_exempt" in params:
        values["tax_exempt"] = params["tax_exempt"] or "none"
    values["metadata"] = metadata.merged(before, params)
    return tx.change(before, "customer.updated", **values)


def delete(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v1/customers/{id}. Cancels the customer's subscriptions, as Stripe does."""
    customer = tx.get("customer", call.object_id)
    for subscription in list(tx.newest("subscription", where={"customer": customer["id"]})):
        if subscription["status"] not in TERMINAL:
            end_subscription(tx, subscription, reason="cancellation_requested")
    tx.put({**customer, "deleted": True})
    tx.emit("customer.deleted", customer)
    return {"id": customer["id"], "object": "customer", "deleted": True}


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/customers"""
    where = {"email": call.params["email"]} if "email" in call.params else None
    found = created_within(tx.newest("customer", where=where), call.params)
    return page(found, call.params, url="/v1/customers")


def _address(params: JsonObject) -> JsonObject | None:
    given = params.get("address") or None
    if given is None:
        return None
    names = ("city", "country", "line1", "line2", "postal_code", "state")
    return {name: given.get(name) or None for name in names}


OPERATIONS = (
    operation("customers.create", "POST /v1/customers", create, _MODELS),
    operation("customers.list", "GET /v1/customers", list_all, "email"),
    operation("customers.retrieve", "GET /v1/customers/{id}", retrieve),
    operation("customers.update", "POST /v1/customers/{id}", update, _MODELS),
    operation("customers.delete", "DELETE /v1/customers/{id}", delete),
)
