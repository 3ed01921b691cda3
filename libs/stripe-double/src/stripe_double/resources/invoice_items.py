"""Invoice items: what waits to be invoiced, by hand or as a proration, and its API."""

from __future__ import annotations

from stripe_double.engine.errors import (
    invalid_request,
    parameter_invalid,
    parameter_missing,
    state_conflict,
)
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.invoice_lines import describe, invoice_item_line, pricing, saved
from stripe_double.resources.invoice_objects import with_lines
from stripe_double.resources.item_prices import one_time_price, quantity_of
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.subscription_states import TERMINAL
from stripe_double.wire.lists import equal_to, page, second_within


def new_invoice_item(
    tx: Transaction, customer: Record, *, amount: int, currency: str, **values: object
) -> JsonObject:
    """Create and announce an invoice item that waits for the next invoice."""
    item = tx.put(
        {
            "id": tx.new_id("invoiceitem"),
            "object": "invoiceitem",
            "amount": amount,
            "currency": currency,
            "customer": customer["id"],
            "customer_account": None,
            "date": tx.now,
            "description": None,
            "discountable": amount >= 0,
            "discounts": [],
            "frozen_fields": [],
            "invoice": None,
            "invoicing_rules": [],
            "livemode": False,
            "metadata": {},
            "net_amount": amount,
            "parent": None,
            "period": {"end": tx.now, "start": tx.now},
            "pricing": None,
            "proration": False,
            "proration_details": {"credited_items": None, "discount_amounts": []},
            "quantity": 1,
            "quantity_decimal": str(values.get("quantity", 1)),
            "tax_rates": [],
            "test_clock": customer["test_clock"],
            **values,
        }
    )
    tx.emit("invoiceitem.created", item)
    return item


def pending_for(
    tx: Transaction, customer_id: str, currency: str, subscription_id: str | None
) -> list[Record]:
    """Items that wait for an invoice, oldest first: a subscription's (and those of none), or,
    without a subscription, those of none."""
    found = tx.newest("invoiceitem", where={"customer": customer_id, "invoice": None})
    wanted = {None, subscription_id}
    return [
        item
        for item in reversed(list(found))
        if item["currency"] == currency and subscription_id_of(item) in wanted
    ]


def subscription_id_of(item: Record) -> str | None:
    """The subscription that an invoice item belongs to, if any."""
    details = (item["parent"] or {}).get("subscription_details")
    return None if details is None else str(details["subscription"])


def put_on(tx: Transaction, items: list[Record], invoice_id: str) -> None:
    """These items wait no longer: they are on an invoice."""
    for item in items:
        tx.put({**item, "invoice": invoice_id})


def release_from(tx: Transaction, invoice_id: str) -> None:
    """The invoice was deleted: its items wait again."""
    for item in list(tx.newest("invoiceitem", where={"invoice": invoice_id})):
        tx.put({**item, "invoice": None})


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoiceitems"""
    params = call.params
    invoice = _open_draft(tx, params["invoice"]) if params.get("invoice") else None
    customer = _customer(tx, params, invoice)
    stand_at(tx, customer)
    amount, currency, values = _worth(tx, params, customer)
    if invoice is not None and invoice["currency"] != currency:
        raise invalid_request(
            f"The currency of the invoice item ({currency}) and of its invoice "
            f"({invoice['currency']}) differ.",
            param="currency",
        )
    item = new_invoice_item(
        tx,
        customer,
        amount=amount,
        currency=currency,
        **{**values, "description": params.get("description") or values["description"]},
        discountable=params.get("discountable", amount >= 0),
        invoice=None if invoice is None else invoice["id"],
        metadata=metadata.given(params),
        parent=_parent(tx, params, customer),
        period=params.get("period") or {"end": tx.now, "start": tx.now},
    )
    if invoice is not None:
        line = saved(tx, invoice_item_line(item), invoice["id"])
        tx.change(
            invoice, "invoice.updated", **with_lines(invoice, [*invoice["lines"]["data"], line])
        )
    return item


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/invoiceitems/{id}"""
    return dict(tx.get("invoiceitem", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoiceitems/{id}"""
    before, params = tx.get("invoiceitem", call.object_id), call.params
    stand_at(tx, before)
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    for name in ("description", "discountable", "period"):
        if name in params:
            values[name] = params[name]
    if params.keys() & {"amount", "quantity", "pricing", "price_data"}:
        values |= _new_worth(tx, before, params)
    invoice = _holding_draft(tx, before) if values.keys() - {"metadata"} else None
    after = tx.change(before, **values)
    if invoice is not None:
        _rewrite_lines(tx, invoice, after)
    return after


def delete(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v1/invoiceitems/{id}. Possible while it waits or its invoice is a draft."""
    item = tx.get("invoiceitem", call.object_id)
    stand_at(tx, item)
    invoice = _holding_draft(tx, item)
    tx.put({**item, "deleted": True})
    tx.emit("invoiceitem.deleted", item)
    if invoice is not None:
        lines = [line for line in invoice["lines"]["data"] if item_of(line) != item["id"]]
        tx.change(invoice, "invoice.updated", **with_lines(invoice, lines))
    return {"id": item["id"], "object": "invoiceitem", "deleted": True}


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/invoiceitems"""
    params = call.params
    found = tx.newest("invoiceitem", where=equal_to(params, "customer", "invoice"))
    found = second_within(found, params.get("created"), lambda item: item["date"])
    if "pending" in params:
        found = (item for item in found if (item["invoice"] is None) == params["pending"])
    return page(found, params, url="/v1/invoiceitems")


def item_of(line: Record) -> str | None:
    """The invoice item that made an invoice line, if one did."""
    parent = line["parent"]
    details = parent["invoice_item_details"] or parent["subscription_item_details"]
    found: str | None = details["invoice_item"]
    return found


def _rewrite_lines(tx: Transaction, invoice: Record, item: Record) -> None:
    lines = [
        {**invoice_item_line(item), "id": line["id"], "invoice": invoice["id"]}
        if item_of(line) == item["id"]
        else line
        for line in invoice["lines"]["data"]
    ]
    tx.change(invoice, "invoice.updated", **with_lines(invoice, lines))


def _customer(tx: Transaction, params: JsonObject, invoice: Record | None) -> Record:
    given = params.get("customer") or (invoice or {}).get("customer")
    if not given:
        raise parameter_missing("customer")
    if invoice is not None and invoice["customer"] != given:
        raise invalid_request("The invoice belongs to another customer.", param="invoice")
    return tx.get("customer", given, param="customer")


def _worth(tx: Transaction, params: JsonObject, customer: Record) -> tuple[int, str, JsonObject]:
    price_id = (params.get("pricing") or {}).get("price")
    if price_id or params.get("price_data"):
        if "amount" in params:
            raise invalid_request(
                "You may only specify one of these parameters: amount, pricing.", param="amount"
            )
        given = {"price": price_id, "price_data": params.get("price_data")}
        price = one_time_price(tx, given, "pricing")
        quantity = quantity_of(params, "")
        values = {
            "description": describe(tx, price, quantity).partition(" (at ")[0],
            "pricing": pricing(price),
            "quantity": quantity,
        }
        return price["unit_amount"] * quantity, price["currency"], values
    if "amount" not in params:
        raise parameter_missing("amount")
    if "quantity" in params:
        raise invalid_request(
            "`quantity` needs `pricing` or `price_data`; it does not go with `amount`.",
            param="quantity",
        )
    currency = str(params.get("currency") or customer["currency"] or "").lower()
    if not currency:
        raise parameter_missing("currency")
    return params["amount"], currency, {"description": None, "quantity": 1}


def _new_worth(tx: Transaction, before: Record, params: JsonObject) -> JsonObject:
    if "amount" in params:
        return {"amount": params["amount"], "net_amount": params["amount"], "pricing": None}
    given = dict(params)
    if not params.keys() & {"pricing", "price_data"}:
        if before["pricing"] is None:
            raise invalid_request("This invoice item has no price to multiply.", param="quantity")
        given["pricing"] = {"price": before["pricing"]["price_details"]["price"]}
    given.setdefault("quantity", before["quantity"])
    price_id = (given.get("pricing") or {}).get("price")
    price = (
        tx.get("price", price_id, param="pricing[price]")
        if price_id
        else one_time_price(tx, given, "price_data")
    )
    if price["currency"] != before["currency"]:
        raise invalid_request("The currency of an invoice item cannot change.", param="pricing")
    quantity = quantity_of(given, "")
    amount = price["unit_amount"] * quantity
    return {
        "amount": amount,
        "net_amount": amount,
        "pricing": pricing(price),
        "quantity": quantity,
        "quantity_decimal": str(quantity),
    }


def _parent(tx: Transaction, params: JsonObject, customer: Record) -> JsonObject | None:
    if not params.get("subscription"):
        return None
    subscription = tx.get("subscription", params["subscription"], param="subscription")
    if subscription["customer"] != customer["id"]:
        raise invalid_request("The subscription belongs to another customer.", param="subscription")
    if subscription["status"] in TERMINAL:
        raise state_conflict("An ended subscription bills no invoice items.", param="subscription")
    details = {"subscription": subscription["id"], "subscription_item": None}
    return {"subscription_details": details, "type": "subscription_details"}


def _open_draft(tx: Transaction, invoice_id: str) -> Record:
    invoice = tx.get("invoice", invoice_id, param="invoice")
    if invoice["status"] != "draft":
        raise parameter_invalid(
            "invoice", "You can only add invoice items to an invoice that is a draft."
        )
    return invoice


def _holding_draft(tx: Transaction, item: Record) -> Record | None:
    """The draft that holds the item, None while it waits; ApiError 400 once it is finalized."""
    invoice = tx.store.find("invoice", item["invoice"]) if item["invoice"] else None
    if invoice is not None and invoice["status"] != "draft":
        raise state_conflict(
            f"This invoice item is on the invoice {invoice['id']}, which is no longer a draft, "
            "so it can no longer be changed or deleted."
        )
    return invoice


_PRICE_DATA = "price_data.currency price_data.product price_data.unit_amount"
_WORTH = (
    f"amount pricing.price {_PRICE_DATA} quantity description discountable metadata metadata.* "
    "period.start period.end"
)
OPERATIONS = (
    operation(
        "invoiceitems.create",
        "POST /v1/invoiceitems",
        create,
        f"{_WORTH} customer currency invoice subscription",
    ),
    operation("invoiceitems.list", "GET /v1/invoiceitems", list_all, "customer invoice pending"),
    operation("invoiceitems.retrieve", "GET /v1/invoiceitems/{id}", retrieve),
    operation("invoiceitems.update", "POST /v1/invoiceitems/{id}", update, _WORTH),
    operation("invoiceitems.delete", "DELETE /v1/invoiceitems/{id}", delete),
)
