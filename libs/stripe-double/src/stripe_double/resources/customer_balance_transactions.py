"""A customer's balance over the API: credit and debt that the next invoices take in."""

from __future__ import annotations

from stripe_double.engine.errors import parameter_invalid, resource_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import customer_credit, metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.prices import currency_of
from stripe_double.wire.lists import created_within, page

_KIND = "customer_balance_transaction"


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/customers/{id}/balance_transactions: negative is credit for the customer."""
    params = call.params
    customer = tx.get("customer", call.object_id)
    currency = currency_of(params)
    if customer["currency"] not in (None, currency):
        raise parameter_invalid(
            "currency",
            f"The customer's currency is {customer['currency']}; a balance has one currency.",
        )
    if customer["currency"] is None:
        tx.change(customer, "customer.updated", currency=currency)
    noted = customer_credit.change_balance(
        tx, customer["id"], params["amount"], "adjustment", currency=currency
    )
    return tx.put(
        {
            **noted,
            "description": params.get("description") or None,
            "metadata": metadata.given(params),
        }
    )


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/customers/{id}/balance_transactions/{id}"""
    return dict(_found(tx, call))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/customers/{id}/balance_transactions/{id}: only words, never amounts."""
    before, params = _found(tx, call), call.params
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if "description" in params:
        values["description"] = params["description"] or None
    return tx.change(before, **values)


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/customers/{id}/balance_transactions"""
    customer, params = tx.get("customer", call.object_id), call.params
    found = created_within(tx.newest(_KIND, where={"customer": customer["id"]}), params)
    if "invoice" in params:
        found = (t for t in found if t["invoice"] == params["invoice"])
    return page(found, params, url=f"/v1/customers/{customer['id']}/balance_transactions")


def _found(tx: Transaction, call: Call) -> Record:
    customer_id, transaction_id = call.ids
    found = tx.get(_KIND, transaction_id)
    if found["customer"] != customer_id:
        raise resource_missing(_KIND, transaction_id)
    return found


_ROUTE = "/v1/customers/{id}/balance_transactions"
OPERATIONS = (
    operation(
        "customers.create_balance_transaction",
        f"POST {_ROUTE}",
        create,
        "amount currency description metadata metadata.*",
    ),
    operation("customers.list_balance_transactions", f"GET {_ROUTE}", list_all, "invoice"),
    operation("customers.retrieve_balance_transaction", f"GET {_ROUTE}/{{id}}", retrieve),
    operation(
        "customers.update_balance_transaction",
        f"POST {_ROUTE}/{{id}}",
        update,
        "description metadata metadata.*",
    ),
)
