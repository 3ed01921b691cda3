"""The lines of a credit note: parts of an invoice's lines, or amounts of their own."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, parameter_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.invoice_lines import UNSAVED


def lines_of(invoice: Record, params: JsonObject) -> list[JsonObject]:
    """The lines that `lines` or `amount` ask for, without ids; ApiError 400."""
    given, amount = params.get("lines"), params.get("amount")
    if given:
        lines = [_line(invoice, one, f"lines[{i}]") for i, one in enumerate(given)]
        total = sum(line["amount"] for line in lines)
        if amount is not None and amount != total:
            raise invalid_request(
                f"`amount` ({amount}) differs from the sum of the lines ({total}).", param="amount"
            )
        return lines
    if amount is None:
        raise parameter_missing("amount")
    return [_record(amount, description=params.get("memo") or None, kind="custom_line_item")]


def saved(tx: Transaction, line: Record) -> JsonObject:
    """The line with an id of its own."""
    return {**line, "id": tx.new_id("credit_note_line_item")}


def _line(invoice: Record, given: Record, name: str) -> JsonObject:
    if given["type"] == "custom_line_item":
        return _custom(given, name)
    line_id = given.get("invoice_line_item")
    if not line_id:
        raise parameter_missing(f"{name}[invoice_line_item]")
    found = next((line for line in invoice["lines"]["data"] if line["id"] == line_id), None)
    if found is None:
        raise invalid_request(
            f"No such invoice line item: '{line_id}'",
            code="resource_missing",
            param=f"{name}[invoice_line_item]",
        )
    amount, quantity = given.get("amount"), given.get("quantity")
    if amount is None:
        quantity = found["quantity"] if quantity is None else quantity
        if not 0 < quantity <= (found["quantity"] or 1):
            raise invalid_request("More than was invoiced.", param=f"{name}[quantity]")
        amount = found["amount"] * quantity // (found["quantity"] or 1)
    if not 0 < amount <= found["amount"]:
        raise invalid_request(
            f"The amount must be between 1 and the line's amount ({found['amount']}).",
            param=f"{name}[amount]",
        )
    return _record(
        amount,
        description=found["description"],
        kind="invoice_line_item",
        invoice_line_item=line_id,
        metadata=metadata.given(dict(given)),
        quantity=quantity,
    )


def _custom(given: Record, name: str) -> JsonObject:
    for wanted in ("description", "unit_amount"):
        if given.get(wanted) is None:
            raise parameter_missing(f"{name}[{wanted}]")
    quantity = given.get("quantity", 1)
    return _record(
        given["unit_amount"] * quantity,
        description=given["description"],
        kind="custom_line_item",
        metadata=metadata.given(dict(given)),
        quantity=quantity,
        unit_amount=given["unit_amount"],
        unit_amount_decimal=str(given["unit_amount"]),
    )


def _record(amount: int, *, description: str | None, kind: str, **values: object) -> JsonObject:
    return {
        "id": UNSAVED,
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice_line_item": None,
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": None,
        "tax_rates": [],
        "taxes": [],
        "type": kind,
        "unit_amount": None,
        "unit_amount_decimal": None,
        **values,
    }
