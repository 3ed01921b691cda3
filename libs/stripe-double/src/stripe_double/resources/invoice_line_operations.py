"""Lines of a draft invoice changed by hand: added, rewritten, taken off."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, parameter_missing, resource_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.invoice_items import item_of, new_invoice_item
from stripe_double.resources.invoice_lines import describe, invoice_item_line, pricing, saved
from stripe_double.resources.invoice_objects import with_lines
from stripe_double.resources.invoice_states import editable
from stripe_double.resources.item_prices import one_time_price, quantity_of
from stripe_double.resources.operations import Call, operation


def add_lines(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoices/{id}/add_lines: new ones, or invoice items that wait."""
    invoice = _draft(tx, call)
    lines: list[JsonObject] = list(invoice["lines"]["data"])
    for index, given in enumerate(call.params["lines"]):
        item = _item(tx, invoice, given, f"lines[{index}]")
        lines.append(saved(tx, invoice_item_line(item), invoice["id"]))
    return _write(tx, invoice, call.params, lines)


def update_lines(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoices/{id}/update_lines"""
    invoice = _draft(tx, call)
    lines: list[JsonObject] = list(invoice["lines"]["data"])
    for index, given in enumerate(call.params["lines"]):
        position = _position(lines, given["id"], f"lines[{index}][id]")
        lines[position] = _rewritten(tx, lines[position], given, f"lines[{index}]")
    return _write(tx, invoice, call.params, lines)


def update_line(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoices/{id}/lines/{id}"""
    invoice_id, line_id = call.ids
    invoice = _draft(tx, Call(invoice_id, call.params))
    lines: list[JsonObject] = list(invoice["lines"]["data"])
    position = _position(lines, line_id, "id", status=404)
    lines[position] = _rewritten(tx, lines[position], call.params, "")
    _write(tx, invoice, {}, lines)
    return lines[position]


def remove_lines(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoices/{id}/remove_lines: `delete` for good, `unassign` to wait again."""
    invoice = _draft(tx, call)
    lines: list[JsonObject] = list(invoice["lines"]["data"])
    for index, given in enumerate(call.params["lines"]):
        line = lines.pop(_position(lines, given["id"], f"lines[{index}][id]"))
        item = tx.find("invoiceitem", item_of(line) or "")
        if item is None:
            continue
        if given["behavior"] == "unassign":
            tx.put({**item, "invoice": None})
        else:
            tx.put({**item, "deleted": True})
            tx.emit("invoiceitem.deleted", item)
    return _write(tx, invoice, call.params, lines)


def _draft(tx: Transaction, call: Call) -> Record:
    invoice = tx.get("invoice", call.object_id)
    stand_at(tx, invoice)
    editable(invoice)
    return invoice


def _write(
    tx: Transaction, invoice: Record, params: JsonObject, lines: list[JsonObject]
) -> JsonObject:
    given = {"metadata": params["invoice_metadata"]} if "invoice_metadata" in params else {}
    return tx.change(
        invoice,
        "invoice.updated",
        metadata=metadata.merged(invoice, given),
        **with_lines(invoice, lines),
    )


def _position(lines: list[JsonObject], line_id: str, param: str, *, status: int = 400) -> int:
    for index, line in enumerate(lines):
        if line["id"] == line_id:
            return index
    raise resource_missing("line_item", line_id, param=param, status=status)


def _item(tx: Transaction, invoice: Record, given: Record, name: str) -> JsonObject:
    if given.get("invoice_item"):
        waiting = tx.get("invoiceitem", given["invoice_item"], param=f"{name}[invoice_item]")
        if waiting["invoice"] is not None or waiting["customer"] != invoice["customer"]:
            raise invalid_request(
                "Only an invoice item of the same customer that still waits can be added.",
                param=f"{name}[invoice_item]",
            )
        return tx.put({**waiting, "invoice": invoice["id"]})
    worth = _worth(tx, given, name, invoice["currency"])
    if "amount" not in worth:
        raise parameter_missing(f"{name}[amount]")
    return new_invoice_item(
        tx,
        tx.get("customer", invoice["customer"]),
        **{"description": given.get("description"), **worth},
        currency=invoice["currency"],
        discountable=given.get("discountable", True),
        invoice=invoice["id"],
        metadata=metadata.given(dict(given)),
        period=given.get("period") or {"end": tx.now, "start": tx.now},
    )


def _rewritten(tx: Transaction, line: JsonObject, given: Record, name: str) -> JsonObject:
    worth = _worth(tx, given, name, line["currency"])
    if "quantity" in given and "amount" not in worth:
        if line["pricing"] is None:
            raise invalid_request("This line has no price to multiply.", param=f"{name}[quantity]")
        price_id = line["pricing"]["price_details"]["price"]
        price = tx.get("price", price_id)
        quantity = quantity_of(given, name)
        worth = {"amount": price["unit_amount"] * quantity, "quantity": quantity}
    after = {**line, **worth, "metadata": metadata.merged(line, dict(given))}
    for field in ("description", "discountable", "period"):
        if field in given:
            after[field] = given[field]
    after["quantity_decimal"] = str(after["quantity"])
    after["subtotal"] = after["amount"]
    item = tx.find("invoiceitem", item_of(line) or "")
    if item is not None:
        same = ("amount", "description", "discountable", "metadata", "period", "pricing")
        tx.put({**item, **{field: after[field] for field in (*same, "quantity")}})
    return after


def _worth(tx: Transaction, given: Record, name: str, currency: str) -> JsonObject:
    price_id = (given.get("pricing") or {}).get("price")
    if price_id or given.get("price_data"):
        asked = {"price": price_id, "price_data": given.get("price_data")}
        price = one_time_price(tx, asked, name)
        if price["currency"] != currency:
            raise invalid_request(f"The invoice is in {currency}.", param=f"{name}[pricing]")
        quantity = quantity_of(given, name)
        return {
            "amount": price["unit_amount"] * quantity,
            "description": given.get("description") or describe(tx, price, quantity),
            "pricing": pricing(price),
            "quantity": quantity,
        }
    if "amount" in given:
        return {"amount": given["amount"], "pricing": None, "quantity": 1}
    return {}


_LINE = (
    "amount description discountable metadata.* period.end period.start pricing.price quantity "
    "price_data.currency price_data.product price_data.unit_amount"
)
_LINES = " ".join(f"lines[].{name}" for name in _LINE.split())
_METADATA = "invoice_metadata invoice_metadata.*"
OPERATIONS = (
    operation(
        "invoices.add_lines",
        "POST /v1/invoices/{id}/add_lines",
        add_lines,
        f"lines[].invoice_item lines[].metadata {_LINES} {_METADATA}",
    ),
    operation(
        "invoices.update_lines",
        "POST /v1/invoices/{id}/update_lines",
        update_lines,
        f"lines[].id lines[].metadata {_LINES} {_METADATA}",
    ),
    operation(
        "invoices.update_line",
        "POST /v1/invoices/{id}/lines/{id}",
        update_line,
        f"{_LINE} metadata",
    ),
    operation(
        "invoices.remove_lines",
        "POST /v1/invoices/{id}/remove_lines",
        remove_lines,
        f"lines[].behavior lines[].id {_METADATA}",
    ),
)
