"""Credit notes: an invoice asks less, or money of a paid one is given back; and their API."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, state_conflict
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import customer_credit, invoice_collection, metadata, refunds
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.credit_note_amounts import Parts, divide
from stripe_double.resources.credit_note_lines import lines_of, saved
from stripe_double.resources.invoice_lines import UNSAVED
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, listing, page

LIFECYCLE = Lifecycle("credit note", {("issued", "void"): "void"})
KIND = "credit_note"
_CREDITED = frozenset({"open", "paid"})


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/credit_notes"""
    params = call.params
    invoice = _invoice(tx, params)
    lines = [saved(tx, line) for line in lines_of(invoice, params)]
    linked = _linked_refunds(tx, invoice, params)
    parts = _parts(tx, invoice, params, lines, linked)
    note_id = tx.new_id(KIND)
    repaid = list(linked)
    if params.get("refund_amount"):
        repaid.append((_refund(tx, invoice, params["refund_amount"]), params["refund_amount"]))
    movement = None
    if parts.credit:
        movement = customer_credit.change_balance(
            tx,
            invoice["customer"],
            -parts.credit,
            "credit_note",
            credit_note=note_id,
            currency=invoice["currency"],
            invoice=invoice["id"],
        )
    count = sum(1 for _ in tx.newest(KIND, where={"invoice": invoice["id"]}))
    note = tx.put(
        {
            **_record(tx, invoice, params, parts, lines),
            "id": note_id,
            "customer_balance_transaction": None if movement is None else movement["id"],
            "lines": listing(lines, url=f"/v1/credit_notes/{note_id}/lines"),
            "number": f"{invoice['number']}-CN-{count + 1:02d}",
            "refunds": [_linked(refund, amount) for refund, amount in repaid],
        }
    )
    invoice_collection.apply_credit_note(
        tx, invoice, pre_payment=parts.pre_payment, post_payment=parts.post_payment
    )
    tx.emit("credit_note.created", note)
    return note


def preview(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/credit_notes/preview: the credit note as it would be, nothing stored."""
    params = call.params
    invoice = _invoice(tx, params)
    lines = lines_of(invoice, params)
    parts = _parts(tx, invoice, params, lines, _linked_refunds(tx, invoice, params))
    return _record(tx, invoice, params, parts, lines)


def preview_lines(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/credit_notes/preview/lines"""
    lines = preview(tx, call)["lines"]["data"]
    return page(lines, call.params, url="/v1/credit_notes/preview/lines")


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/credit_notes/{id}"""
    return dict(tx.get(KIND, call.object_id))


def list_lines(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/credit_notes/{id}/lines"""
    note = tx.get(KIND, call.object_id)
    return page(note["lines"]["data"], call.params, url=f"/v1/credit_notes/{note['id']}/lines")


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/credit_notes/{id}: its words, never its amounts."""
    before, params = tx.get(KIND, call.object_id), call.params
    stand_at(tx, tx.get("invoice", before["invoice"]))
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if "memo" in params:
        values["memo"] = params["memo"] or None
    return tx.change(before, "credit_note.updated", **values)


def void(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/credit_notes/{id}/void: the open invoice asks the amount again."""
    note = tx.get(KIND, call.object_id)
    invoice = tx.get("invoice", note["invoice"])
    stand_at(tx, invoice)
    status = LIFECYCLE.next(note["status"], "void")
    if invoice["status"] != "open" or note["post_payment_amount"]:
        raise state_conflict(
            "You can only void a credit note of an open invoice; this money was given back."
        )
    after = tx.put({**note, "status": status, "voided_at": tx.now})
    invoice_collection.withdraw_credit_note(tx, invoice, note["pre_payment_amount"])
    tx.emit("credit_note.voided", after)
    return after


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/credit_notes"""
    where = equal_to(call.params, "customer", "invoice")
    found = created_within(tx.newest(KIND, where=where), call.params)
    return page(found, call.params, url="/v1/credit_notes")


def _invoice(tx: Transaction, params: JsonObject) -> Record:
    invoice = tx.get("invoice", params["invoice"], param="invoice")
    stand_at(tx, invoice)
    if invoice["status"] not in _CREDITED:
        raise state_conflict(
            f"You can only credit an invoice that is open or paid; this one is "
            f"{invoice['status']}.",
            param="invoice",
        )
    return invoice


def _parts(
    tx: Transaction,
    invoice: Record,
    params: JsonObject,
    lines: list[JsonObject],
    linked: list[tuple[Record, int]],
) -> Parts:
    linked_amount = sum(amount for _, amount in linked)
    return divide(
        invoice,
        sum(int(line["amount"]) for line in lines),
        refund=(params.get("refund_amount") or 0) + linked_amount,
        credit=params.get("credit_amount") or 0,
        out_of_band=params.get("out_of_band_amount") or 0,
        refunded=_refunded_alone(tx, invoice) - linked_amount,
    )


def _refunded_alone(tx: Transaction, invoice: Record) -> int:
    """What went back of the invoice's charges without a credit note."""
    noted = sum(
        repaid["amount_refunded"]
        for note in tx.newest(KIND, where={"invoice": invoice["id"]})
        for repaid in note["refunds"]
    )
    charges = invoice_collection.charges_of(tx, invoice)
    return sum(int(charge["amount_refunded"]) for charge in charges) - int(noted)


def _linked_refunds(
    tx: Transaction, invoice: Record, params: JsonObject
) -> list[tuple[Record, int]]:
    charges = {charge["id"] for charge in invoice_collection.charges_of(tx, invoice)}
    found = []
    for index, given in enumerate(params.get("refunds") or []):
        name = f"refunds[{index}][refund]"
        refund = tx.get("refund", str(given.get("refund")), param=name)
        amount = given.get("amount_refunded", refund["amount"])
        if refund["charge"] not in charges or not 0 < amount <= refund["amount"]:
            raise invalid_request("This refund is not of this invoice's payment.", param=name)
        found.append((refund, int(amount)))
    return found


def _refund(tx: Transaction, invoice: Record, amount: int) -> Record:
    for charge in invoice_collection.charges_of(tx, invoice):
        if charge["paid"]:
            return refunds.refund_charge(tx, charge, amount=amount)
    raise state_conflict("This invoice has no charge to refund.", param="refund_amount")


def _linked(refund: Record, amount: int) -> JsonObject:
    return {
        "amount_refunded": amount,
        "payment_record_refund": None,
        "refund": refund["id"],
        "type": "refund",
    }


def _record(
    tx: Transaction, invoice: Record, params: JsonObject, parts: Parts, lines: list[JsonObject]
) -> JsonObject:
    total = parts.total
    page_url = f"{tx.options.page_base_url}/i/{invoice['id']}"
    return {
        "id": UNSAVED,
        "object": KIND,
        "amount": total,
        "amount_shipping": 0,
        "created": tx.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": params.get("effective_at") or tx.now,
        "invoice": invoice["id"],
        "lines": listing(lines, url="/v1/credit_notes/preview/lines"),
        "livemode": False,
        "memo": params.get("memo") or None,
        "metadata": metadata.given(params),
        "number": f"{invoice['number']}-CN-00",
        "out_of_band_amount": parts.out_of_band or None,
        "pdf": page_url,
        "post_payment_amount": parts.post_payment,
        "pre_payment_amount": parts.pre_payment,
        "pretax_credit_amounts": [],
        "reason": params.get("reason") or None,
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": total,
        "subtotal_excluding_tax": total,
        "total": total,
        "total_excluding_tax": total,
        "total_taxes": [],
        "type": parts.kind,
        "voided_at": None,
    }


_LINES = " ".join(
    f"lines[].{name}"
    for name in ("amount", "description", "invoice_line_item", "metadata.*", "quantity", "type")
)
_FIELDS = (
    f"invoice amount credit_amount effective_at memo metadata.* out_of_band_amount reason "
    f"refund_amount refunds[].refund refunds[].amount_refunded refunds[].type email_type "
    f"{_LINES} lines[].unit_amount"
)
_ONLY = {"refunds[].type": frozenset({"refund"})}
OPERATIONS = (
    operation("credit_notes.create", "POST /v1/credit_notes", create, _FIELDS, _ONLY),
    operation("credit_notes.list", "GET /v1/credit_notes", list_all, "customer invoice"),
    operation("credit_notes.preview", "GET /v1/credit_notes/preview", preview, _FIELDS, _ONLY),
    operation(
        "credit_notes.preview_lines",
        "GET /v1/credit_notes/preview/lines",
        preview_lines,
        _FIELDS,
        _ONLY,
    ),
    operation("credit_notes.retrieve", "GET /v1/credit_notes/{id}", retrieve),
    operation(
        "credit_notes.update", "POST /v1/credit_notes/{id}", update, "memo metadata metadata.*"
    ),
    operation("credit_notes.void", "POST /v1/credit_notes/{id}/void", void),
    operation("credit_notes.list_lines", "GET /v1/credit_notes/{id}/lines", list_lines),
)
