"""The invoice API: drafts made and changed by hand, and the moves of every invoice."""

from __future__ import annotations

from stripe_double.engine.errors import (
    ApiError,
    card_declined,
    invalid_request,
    parameter_invalid,
    parameter_missing,
    state_conflict,
)
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import (
    invoice_collection,
    invoice_line_operations,
    invoice_previews,
    metadata,
)
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.invoice_items import pending_for, put_on, release_from
from stripe_double.resources.invoice_lines import invoice_item_line
from stripe_double.resources.invoice_objects import new_invoice
from stripe_double.resources.invoice_payments import new_invoice_payment, of_intent
from stripe_double.resources.invoice_states import LIFECYCLE, editable, subscription_of
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.payment_intents import purpose_of
from stripe_double.resources.subscription_fields import check_days_until_due, own_method
from stripe_double.resources.subscription_states import TERMINAL
from stripe_double.wire.lists import created_within, equal_to, page, second_within

__all__ = ["LIFECYCLE", "OPERATIONS"]

_TEXTS = ("description", "footer", "statement_descriptor")
_DRAFT_ONLY = frozenset({"collection_method", "days_until_due", "due_date", "number"})
_PAID_BY_HAND = frozenset({"open", "uncollectible"})


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoices"""
    params = call.params
    subscription = _subscription(tx, params)
    customer_id = params.get("customer") or (subscription or {}).get("customer")
    if not customer_id:
        raise parameter_missing("customer")
    customer = tx.get("customer", customer_id, param="customer")
    stand_at(tx, customer)
    currency = str(
        params.get("currency")
        or (subscription or {}).get("currency")
        or customer["currency"]
        or "usd"
    ).lower()
    includes = params.get("pending_invoice_items_behavior") == "include" or subscription is not None
    waiting: list[Record] = []
    if includes:
        subscription_id = None if subscription is None else str(subscription["id"])
        waiting = pending_for(tx, customer["id"], currency, subscription_id)
    invoice = new_invoice(
        tx,
        customer=customer,
        subscription=subscription,
        lines=[invoice_item_line(item) for item in waiting],
        currency=currency,
        billing_reason="manual" if subscription is None else "subscription_update",
        auto_advance=params.get("auto_advance", False),
        metadata=metadata.given(params),
        **_given(tx, customer, params),
    )
    put_on(tx, waiting, invoice["id"])
    return invoice


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/invoices/{id}"""
    return dict(tx.get("invoice", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoices/{id}. Money fields change only while it is a draft."""
    before, params = tx.get("invoice", call.object_id), call.params
    stand_at(tx, before)
    refused = sorted(_DRAFT_ONLY & params.keys())
    if refused and before["status"] != "draft":
        raise state_conflict(
            f"You can only change `{refused[0]}` while the invoice is a draft; it is "
            f"{before['status']}.",
            param=refused[0],
        )
    customer = tx.get("customer", before["customer"])
    values = {**_given(tx, customer, params, before), "metadata": metadata.merged(before, params)}
    if "auto_advance" in params:
        values |= _advancing(tx, before, wanted=params["auto_advance"])
    return tx.change(before, "invoice.updated", **values)


def delete(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v1/invoices/{id}: a draft that no subscription made."""
    invoice = tx.get("invoice", call.object_id)
    stand_at(tx, invoice)
    if invoice["status"] != "draft" or subscription_of(invoice) is not None:
        raise state_conflict(
            "You can only delete draft invoices that no subscription made; void this one instead."
        )
    tx.put({**invoice, "deleted": True})
    release_from(tx, invoice["id"])
    tx.emit("invoice.deleted", invoice)
    return {"id": invoice["id"], "object": "invoice", "deleted": True}


def finalize(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoices/{id}/finalize"""
    invoice = tx.get("invoice", call.object_id)
    stand_at(tx, invoice)
    advance = call.params.get("auto_advance", invoice["auto_advance"])
    return _finalized(tx, invoice, auto_advance=bool(advance))


def pay(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """POST /v1/invoices/{id}/pay. A draft is finalized first."""
    invoice, params = tx.get("invoice", call.object_id), call.params
    stand_at(tx, invoice)
    if invoice["status"] == "draft":
        invoice = _finalized(tx, invoice, auto_advance=False)
        if invoice["status"] == "paid":
            return dict(invoice)
    if invoice["status"] == "paid":
        raise state_conflict("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] not in _PAID_BY_HAND:
        raise state_conflict(f"This invoice is {invoice['status']}; it can no longer be paid.")
    if params.get("paid_out_of_band"):
        return invoice_collection.pay_off_stripe(tx, invoice)
    customer = tx.get("customer", invoice["customer"])
    if params.get("payment_method"):
        method_id = own_method(tx, customer, params, "payment_method")
        method: Record | None = tx.get("payment_method", str(method_id))
    else:
        method = invoice_collection.method_for(tx, invoice, customer)
    if method is None:
        raise invalid_request(
            "There is no `default_payment_method` set on this Customer or Invoice. Please set "
            "either prior to payment attempt."
        )
    after = invoice_collection.attempt(tx, invoice, method)
    return after if after["status"] == "paid" else _not_paid(tx, after)


def void(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoices/{id}/void"""
    invoice = tx.get("invoice", call.object_id)
    stand_at(tx, invoice)
    return invoice_collection.void(tx, invoice)


def mark_uncollectible(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoices/{id}/mark_uncollectible"""
    invoice = tx.get("invoice", call.object_id)
    stand_at(tx, invoice)
    return invoice_collection.mark_uncollectible(tx, invoice)


def send(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoices/{id}/send. A draft is finalized first."""
    invoice = tx.get("invoice", call.object_id)
    stand_at(tx, invoice)
    if invoice["collection_method"] != "send_invoice":
        raise state_conflict(
            "You can only manually send an invoice if its collection method is 'send_invoice'."
        )
    if invoice["status"] == "draft":
        invoice = _finalized(tx, invoice, auto_advance=invoice["auto_advance"])
    elif invoice["status"] != "open":
        raise state_conflict(f"This invoice is {invoice['status']}; it is not sent any more.")
    return invoice_collection.send(tx, invoice)


def attach_payment(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoices/{id}/attach_payment: an intent made elsewhere pays a part, or all."""
    invoice = tx.get("invoice", call.object_id)
    stand_at(tx, invoice)
    if not call.params.get("payment_intent"):
        raise parameter_missing("payment_intent")
    intent = tx.get("payment_intent", call.params["payment_intent"], param="payment_intent")
    if invoice["status"] not in _PAID_BY_HAND:
        raise state_conflict(f"This invoice is {invoice['status']}; nothing can pay it.")
    same = ("customer", "currency")
    if any(intent[name] != invoice[name] for name in same) or intent["status"] == "canceled":
        raise parameter_invalid(
            "payment_intent", "The payment intent does not suit the invoice's customer or currency."
        )
    if of_intent(tx, intent["id"]) is not None or purpose_of(tx, intent):
        raise state_conflict("This payment intent pays something already.", param="payment_intent")
    if intent["amount"] > invoice["amount_remaining"]:
        raise parameter_invalid(
            "payment_intent", f"The invoice asks only {invoice['amount_remaining']} any more."
        )
    new_invoice_payment(tx, invoice, intent, is_default=False)
    if intent["status"] == "succeeded":
        return invoice_collection.receive_part(tx, invoice, intent)
    return dict(invoice)


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/invoices"""
    params = call.params
    where = equal_to(params, "customer", "status", "collection_method")
    found = created_within(tx.newest("invoice", where=where), params)
    found = second_within(found, params.get("due_date"), lambda invoice: invoice["due_date"])
    if "subscription" in params:
        found = (i for i in found if subscription_of(i) == params["subscription"])
    return page(found, params, url="/v1/invoices")


def list_lines(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/invoices/{id}/lines"""
    invoice = tx.get("invoice", call.object_id)
    return page(invoice["lines"]["data"], call.params, url=f"/v1/invoices/{invoice['id']}/lines")


def _finalized(tx: Transaction, invoice: Record, *, auto_advance: bool) -> JsonObject:
    editable(invoice)
    return invoice_collection.finalize(tx, invoice, auto_advance=auto_advance)


def _not_paid(tx: Transaction, invoice: Record) -> ApiError | JsonObject:
    intent = invoice_collection.intent_of(tx, invoice)
    if intent is None or intent["status"] == "processing":
        return dict(invoice)
    if intent["status"] == "requires_action":
        return ApiError(
            402,
            "card_error",
            "Invoice payment requires additional user action before it can be completed.",
            code="invoice_payment_intent_requires_action",
        )
    error = intent["last_payment_error"] or {}
    return card_declined(error.get("decline_code") or "generic_decline")


def _subscription(tx: Transaction, params: JsonObject) -> Record | None:
    if not params.get("subscription"):
        return None
    subscription = tx.get("subscription", params["subscription"], param="subscription")
    if params.get("customer") not in {None, subscription["customer"]}:
        raise invalid_request("The subscription belongs to another customer.", param="subscription")
    if subscription["status"] in TERMINAL:
        raise state_conflict("The subscription has ended.", param="subscription")
    return subscription


def _given(
    tx: Transaction, customer: Record, params: JsonObject, before: Record | None = None
) -> JsonObject:
    values: JsonObject = {name: params[name] or None for name in _TEXTS if name in params}
    if "default_payment_method" in params:
        values["default_payment_method"] = own_method(
            tx, customer, params, "default_payment_method"
        )
    if "number" in params:
        values["number"] = params["number"] or None
    if params.get("effective_at"):
        values["effective_at"] = params["effective_at"]
    return {**values, **_due(tx, params, before)}


def _due(tx: Transaction, params: JsonObject, before: Record | None) -> JsonObject:
    kept = "charge_automatically" if before is None else before["collection_method"]
    method = params.get("collection_method") or kept
    days, date = params.get("days_until_due"), params.get("due_date")
    if method != "send_invoice":
        if days is not None or date is not None:
            raise invalid_request(
                "You can only set a due date when `collection_method` is `send_invoice`.",
                param="due_date" if days is None else "days_until_due",
            )
        return {"collection_method": method, "due_date": None}
    if days is not None and date is not None:
        raise invalid_request(
            "You may only specify one of these parameters: days_until_due, due_date.",
            param="due_date",
        )
    if date is not None and date <= tx.now:
        raise parameter_invalid("due_date", "The due date must be in the future.")
    kept_date = None if before is None else before["due_date"]
    if days is not None:
        check_days_until_due(days)
        date = tx.now + days * 86_400
    elif date is None and kept_date is None:
        raise parameter_missing("days_until_due")
    return {
        "collection_method": method,
        "due_date": date or kept_date,
        "next_payment_attempt": None,
    }


def _advancing(tx: Transaction, before: Record, *, wanted: bool) -> JsonObject:
    if before["status"] not in {"draft", "open"}:
        raise state_conflict(f"This invoice is {before['status']}; nothing advances it.")
    soon = tx.now + invoice_collection.HOUR_SECONDS if wanted else None
    by_card = before["collection_method"] == "charge_automatically"
    return {
        "auto_advance": wanted,
        "automatically_finalizes_at": soon if before["status"] == "draft" else None,
        "next_payment_attempt": soon if by_card else None,
    }


_FIELDS = (
    "auto_advance collection_method days_until_due default_payment_method description due_date "
    "effective_at footer metadata metadata.* number statement_descriptor"
)
OPERATIONS = (
    operation(
        "invoices.create",
        "POST /v1/invoices",
        create,
        f"{_FIELDS} customer currency subscription pending_invoice_items_behavior",
    ),
    operation(
        "invoices.list",
        "GET /v1/invoices",
        list_all,
        "customer status subscription collection_method due_date due_date.gt due_date.gte "
        "due_date.lt due_date.lte",
    ),
    invoice_previews.OPERATION,
    operation("invoices.retrieve", "GET /v1/invoices/{id}", retrieve),
    operation("invoices.update", "POST /v1/invoices/{id}", update, _FIELDS),
    operation("invoices.delete", "DELETE /v1/invoices/{id}", delete),
    operation("invoices.finalize", "POST /v1/invoices/{id}/finalize", finalize, "auto_advance"),
    operation(
        "invoices.pay",
        "POST /v1/invoices/{id}/pay",
        pay,
        "forgive off_session paid_out_of_band payment_method",
        {"forgive": frozenset({False})},
    ),
    operation("invoices.void", "POST /v1/invoices/{id}/void", void),
    operation(
        "invoices.mark_uncollectible",
        "POST /v1/invoices/{id}/mark_uncollectible",
        mark_uncollectible,
    ),
    operation("invoices.send", "POST /v1/invoices/{id}/send", send),
    operation(
        "invoices.attach_payment",
        "POST /v1/invoices/{id}/attach_payment",
        attach_payment,
        "payment_intent",
    ),
    *invoice_line_operations.OPERATIONS,
    operation("invoices.list_lines", "GET /v1/invoices/{id}/lines", list_lines),
)
