"""Payment methods that exist: attach, detach, update, and those of one customer."""

from __future__ import annotations

from stripe_double.engine.errors import parameter_missing, resource_missing, state_conflict
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import banks, metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.payment_methods import (
    BILLING_MODELS,
    attached,
    billing_details,
    resolved,
)
from stripe_double.wire.lists import equal_to, page


def attach(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/payment_methods/{id}/attach"""
    if not call.params.get("customer"):
        raise parameter_missing("customer")
    customer = tx.get("customer", call.params["customer"], param="customer")
    return dict(attached(tx, resolved(tx, call.object_id, param="id"), customer["id"]))


def detach(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/payment_methods/{id}/detach: it can never be used again."""
    method = tx.get("payment_method", call.object_id)
    if method["customer"] is None:
        raise state_conflict(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible."
        )
    return detach_method(tx, method)


def detach_method(tx: Transaction, method: Record) -> JsonObject:
    """Take it off its customer, and out of everything that would pay with it."""
    customer = tx.find("customer", method["customer"])
    if customer is not None:
        settings = customer["invoice_settings"]
        if settings["default_payment_method"] == method["id"]:
            after = {**settings, "default_payment_method": None}
            tx.change(customer, "customer.updated", invoice_settings=after)
    for subscription in list(tx.newest("subscription", where={"customer": method["customer"]})):
        if subscription["default_payment_method"] == method["id"]:
            tx.change(subscription, "customer.subscription.updated", default_payment_method=None)
    banks.change(tx, method["id"], spent=True)
    after = tx.put({**method, "customer": None})
    tx.emit("payment_method.detached", after, {"customer": method["customer"]})
    return after


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/payment_methods/{id}"""
    before, params = tx.get("payment_method", call.object_id), call.params
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if params.get("billing_details"):
        given = billing_details(params["billing_details"])
        values["billing_details"] = {
            **before["billing_details"],
            **{name: given[name] for name in params["billing_details"]},
        }
    if params.get("allow_redisplay"):
        values["allow_redisplay"] = params["allow_redisplay"]
    card = {name: value for name, value in (params.get("card") or {}).items() if value}
    if card and "card" in before:
        values["card"] = {**before["card"], **card}
    return tx.change(before, "payment_method.updated", **values)


def list_of_customer(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/customers/{id}/payment_methods"""
    customer = tx.get("customer", call.object_id)
    where = {"customer": customer["id"], **equal_to(call.params, "type", "allow_redisplay")}
    url = f"/v1/customers/{customer['id']}/payment_methods"
    return page(tx.newest("payment_method", where=where), call.params, url=url)


def retrieve_of_customer(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/customers/{id}/payment_methods/{id}"""
    customer_id, method_id = call.ids
    customer = tx.get("customer", customer_id)
    method = tx.get("payment_method", method_id)
    if method["customer"] != customer["id"]:
        raise resource_missing("payment_method", method_id)
    return dict(method)


OPERATIONS = (
    operation("payment_methods.attach", "POST /v1/payment_methods/{id}/attach", attach, "customer"),
    operation("payment_methods.detach", "POST /v1/payment_methods/{id}/detach", detach),
    operation(
        "payment_methods.update",
        "POST /v1/payment_methods/{id}",
        update,
        f"metadata metadata.* allow_redisplay card.exp_month card.exp_year {BILLING_MODELS}",
    ),
    operation(
        "customers.list_payment_methods",
        "GET /v1/customers/{id}/payment_methods",
        list_of_customer,
        "type allow_redisplay",
    ),
    operation(
        "customers.retrieve_payment_method",
        "GET /v1/customers/{id}/payment_methods/{id}",
        retrieve_of_customer,
    ),
)
