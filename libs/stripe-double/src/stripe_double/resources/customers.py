"""Customers."""

from __future__ import annotations

from stripe_double.engine.errors import parameter_invalid, state_conflict
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import (
    card_sources,
    cash_balances,
    clock_time,
    customer_credit,
    metadata,
)
from stripe_double.resources.intent_parameters import SHIPPING_MODELS, shipping_from
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.payment_methods import attached, resolved
from stripe_double.resources.subscriptions import TERMINAL, end_subscription
from stripe_double.wire.lists import created_within, equal_to, page

DEFAULT_CURRENCY = "usd"
"""The account's: of a balance given to a customer who has bought nothing yet."""

_PLAIN = ("description", "email", "name", "phone")
_SHIPPING_MODELS = " ".join(
    name
    for name in SHIPPING_MODELS.split()
    if name not in {"shipping.carrier", "shipping.tracking_number"}
)
_MODELS = (
    "description email name phone metadata metadata.* preferred_locales[] tax_exempt "
    "address.city address.country address.line1 address.line2 address.postal_code address.state "
    f"invoice_settings.default_payment_method source balance {_SHIPPING_MODELS}"
)


def new_customer(tx: Transaction, params: JsonObject) -> JsonObject:
    """Create and announce a customer from typed parameters."""
    customer = _new(tx, params)
    tx.emit("customer.created", customer)
    return customer


def _new(tx: Transaction, params: JsonObject) -> JsonObject:
    return tx.put(
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
            "shipping": _shipping(params),
            "tax_exempt": params.get("tax_exempt") or "none",
            "test_clock": params.get("test_clock") or None,
        }
    )


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/customers"""
    params = call.params
    if params.get("test_clock"):
        clock = tx.get(clock_time.COLLECTION, params["test_clock"], param="test_clock")
        clock_time.stand_at(tx, {"test_clock": clock["id"]})
    customer: Record = _new(tx, params)
    if params.get("payment_method"):
        method = attached(tx, resolved(tx, params["payment_method"]), customer["id"])
        default = (params.get("invoice_settings") or {}).get("default_payment_method")
        if default == params["payment_method"]:
            # A test id names a new payment method each time; here it is one and the same.
            settings = {"default_payment_method": method["id"]}
            params = {**params, "invoice_settings": settings}
    paying = _paying(tx, customer, params)
    customer = tx.put({**customer, **paying}) if paying else customer
    tx.emit("customer.created", customer)
    return _with_balance(tx, customer, params, "initial")


def _with_balance(tx: Transaction, customer: Record, params: JsonObject, kind: str) -> JsonObject:
    """The customer with the `balance` of the parameters, the difference noted as a transaction."""
    difference = params.get("balance", customer["balance"]) - customer["balance"]
    if difference:
        currency = customer["currency"] or DEFAULT_CURRENCY
        customer_credit.change_balance(tx, customer["id"], difference, kind, currency=currency)
    return dict(tx.get("customer", customer["id"]))


def _paying(tx: Transaction, customer: Record, params: JsonObject) -> JsonObject:
    """The members that say what pays this customer's invoices."""
    values: JsonObject = {}
    if params.get("source"):
        values["default_source"] = card_sources.new_source(tx, customer["id"], params["source"])[
            "id"
        ]
    settings = params.get("invoice_settings") or {}
    if "default_payment_method" in settings:
        chosen = settings["default_payment_method"] or None
        if chosen is not None:
            name = "invoice_settings[default_payment_method]"
            method = tx.get("payment_method", chosen, param=name)
            if method["customer"] != customer["id"]:
                raise parameter_invalid(
                    name,
                    "The customer does not have a payment method with the ID "
                    f"{chosen}. The payment method must be attached to the customer.",
                    "resource_missing",
                )
        after = {**customer["invoice_settings"], "default_payment_method": chosen}
        values["invoice_settings"] = after
    return values


def _shipping(params: JsonObject) -> JsonObject | None:
    shown = shipping_from(params)
    return shown and {name: shown[name] for name in ("address", "name", "phone")}


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/customers/{id}. A deleted customer answers its tombstone, as at Stripe."""
    record = tx.store.find("customer", call.object_id)
    if record is not None and record.get("deleted"):
        return {"id": record["id"], "object": "customer", "deleted": True}
    return dict(tx.get("customer", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/customers/{id}"""
    before, params = tx.get("customer", call.object_id), call.params
    clock_time.stand_at(tx, before)
    values: JsonObject = {name: params[name] or None for name in _PLAIN if name in params}
    if "address" in params:
        values["address"] = _address(params)
    if "preferred_locales" in params:
        values["preferred_locales"] = params["preferred_locales"] or []
    if "tax_exempt" in params:
        values["tax_exempt"] = params["tax_exempt"] or "none"
    if "shipping" in params:
        values["shipping"] = _shipping(params)
    if params.get("default_source"):
        values["default_source"] = tx.get("card", params["default_source"], param="default_source")[
            "id"
        ]
    values |= _paying(tx, before, params)
    values["metadata"] = metadata.merged(before, params)
    after = tx.change(before, "customer.updated", **values)
    return _with_balance(tx, after, params, "adjustment")


def delete(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v1/customers/{id}. Cancels the customer's subscriptions, as Stripe does."""
    customer = tx.get("customer", call.object_id)
    if cash_balances.has_cash_balance(tx, customer["id"]):
        raise state_conflict("A customer who has a cash balance cannot be deleted.")
    clock_time.stand_at(tx, customer)
    for subscription in list(tx.newest("subscription", where={"customer": customer["id"]})):
        if subscription["status"] not in TERMINAL:
            end_subscription(tx, subscription, reason="cancellation_requested")
    tx.put({**customer, "deleted": True})
    tx.emit("customer.deleted", customer)
    return {"id": customer["id"], "object": "customer", "deleted": True}


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/customers. Those on a test clock are listed only with their clock."""
    where = {"test_clock": call.params.get("test_clock"), **equal_to(call.params, "email")}
    found = created_within(tx.newest("customer", where=where), call.params)
    return page(found, call.params, url="/v1/customers")


def _address(params: JsonObject) -> JsonObject | None:
    given = params.get("address") or None
    if given is None:
        return None
    names = ("city", "country", "line1", "line2", "postal_code", "state")
    return {name: given.get(name) or None for name in names}


OPERATIONS = (
    operation(
        "customers.create", "POST /v1/customers", create, f"{_MODELS} payment_method test_clock"
    ),
    operation("customers.list", "GET /v1/customers", list_all, "email test_clock"),
    operation("customers.retrieve", "GET /v1/customers/{id}", retrieve),
    operation("customers.update", "POST /v1/customers/{id}", update, f"{_MODELS} default_source"),
    operation("customers.delete", "DELETE /v1/customers/{id}", delete),
)
