"""Card sources: the older way to keep a card, as far as `source=tok_visa` needs it.

Each is also a payment method with the same id, as at Stripe.
"""

from __future__ import annotations

from stripe_double.engine.errors import card_declined, invalid_request, resource_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.payment_methods import new_payment_method
from stripe_double.resources.test_cards import card_named
from stripe_double.wire.lists import page

_NAMES = {"amex": "American Express", "diners": "Diners Club", "jcb": "JCB"}


def new_source(tx: Transaction, customer_id: str, token: str) -> JsonObject:
    """Keep the card of a test token for a customer; announce it. Its bank may refuse: 402."""
    card = card_named(token)
    if card is None:
        raise invalid_request(f"No such token: '{token}'", code="resource_missing", param="source")
    if not card.attaches and card.decline_code:
        raise card_declined(card.decline_code)
    method = new_payment_method(
        tx, card, customer=customer_id, billing={}, method_id=tx.new_id("card"), announced=False
    )
    shown = method["card"]
    source = tx.put(
        {
            "id": method["id"],
            "object": "card",
            "address_city": None,
            "address_country": None,
            "address_line1": None,
            "address_line1_check": None,
            "address_line2": None,
            "address_state": None,
            "address_zip": None,
            "address_zip_check": None,
            "allow_redisplay": "unspecified",
            "brand": _NAMES.get(card.brand, card.brand.title()),
            "country": shown["country"],
            "customer": customer_id,
            "cvc_check": "pass",
            "dynamic_last4": None,
            "exp_month": shown["exp_month"],
            "exp_year": shown["exp_year"],
            "fingerprint": shown["fingerprint"],
            "funding": shown["funding"],
            "last4": shown["last4"],
            "metadata": {},
            "name": None,
            "regulated_status": shown["regulated_status"],
            "tokenization_method": None,
        }
    )
    tx.emit("customer.source.created", source)
    return source


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/customers/{id}/sources: the first one becomes the default."""
    customer = tx.get("customer", call.object_id)
    source = new_source(tx, customer["id"], call.params["source"])
    source = tx.put({**source, "metadata": metadata.given(call.params)})
    if customer["default_source"] is None:
        tx.change(customer, "customer.updated", default_source=source["id"])
    return source


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/customers/{id}/sources/{id}"""
    return dict(_found(tx, call))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/customers/{id}/sources/{id}"""
    before, params = _found(tx, call), call.params
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if "name" in params:
        values["name"] = params["name"] or None
    return tx.change(before, "customer.source.updated", **values)


def delete(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v1/customers/{id}/sources/{id}"""
    source = _found(tx, call)
    customer = tx.get("customer", source["customer"])
    if customer["default_source"] == source["id"]:
        tx.change(customer, "customer.updated", default_source=None)
    method = tx.get("payment_method", source["id"])
    tx.put({**method, "customer": None})
    tx.put({**source, "deleted": True})
    tx.emit("customer.source.deleted", source)
    return {"id": source["id"], "object": "card", "deleted": True}


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/customers/{id}/sources"""
    customer = tx.get("customer", call.object_id)
    found = tx.newest("card", where={"customer": customer["id"]})
    return page(found, call.params, url=f"/v1/customers/{customer['id']}/sources")


def _found(tx: Transaction, call: Call) -> Record:
    customer_id, source_id = call.ids
    source = tx.get("card", source_id)
    if source["customer"] != customer_id:
        raise resource_missing("source", source_id)
    return source


_ROUTE = "/v1/customers/{id}/sources"
OPERATIONS = (
    operation("customers.sources.create", f"POST {_ROUTE}", create, "source metadata.*"),
    operation(
        "customers.sources.list",
        f"GET {_ROUTE}",
        list_all,
        "object",
        {"object": frozenset({"card"})},
    ),
    operation("customers.sources.retrieve", f"GET {_ROUTE}/{{id}}", retrieve),
    operation(
        "customers.sources.update", f"POST {_ROUTE}/{{id}}", update, "metadata metadata.* name"
    ),
    operation("customers.sources.delete", f"DELETE {_ROUTE}/{{id}}", delete),
)
