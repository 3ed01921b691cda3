"""Charges: one attempt to take money, and what became of that money since."""

from __future__ import annotations

from stripe_double.engine.errors import decline_of
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import banks, metadata
from stripe_double.resources.balance_transactions import new_balance_transaction, payment_fee
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, listing, page

LIFECYCLE = Lifecycle(
    "charge", {("pending", "succeed"): "succeeded", ("pending", "fail"): "failed"}
)
_NOT_OF_A_CHARGE = frozenset(
    {"financial_connections_account", "generated_from", "networks", "status_details"}
)
_CARD_DETAILS = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
_TEXTS = ("description", "receipt_email", "transfer_group")


def new_charge(
    tx: Transaction,
    intent: Record,
    method: Record,
    *,
    status: str = "succeeded",
    decline_code: str | None = None,
    captured: bool = True,
) -> JsonObject:
    """Create and announce the charge of one attempt on a payment intent.

    `status`: `succeeded`, `pending` (a bank debit under way) or `failed` (with `decline_code`).
    """
    paid = status == "succeeded"
    code, message = decline_of(decline_code) if decline_code else (None, None)
    charge = tx.put(
        {
            "id": tx.new_id("charge"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": None,
            "billing_details": method["billing_details"],
            "calculated_statement_descriptor": None,
            "captured": False,
            "created": tx.now,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": code,
            "failure_message": message,
            "fraud_details": {},
            "livemode": False,
            "metadata": intent["metadata"],
            "on_behalf_of": None,
            "outcome": _outcome(decline_code),
            "paid": paid,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": _details(tx, method),
            "receipt_email": intent["receipt_email"],
            "receipt_number": None,
            "receipt_url": None,
            "refunded": False,
            "refunds": None,
            "review": None,
            "shipping": intent["shipping"],
            "source_transfer": None,
            "statement_descriptor": intent["statement_descriptor"],
            "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
            "status": status,
            "transfer_data": None,
            "transfer_group": intent["transfer_group"],
        }
    )
    if paid and captured:
        charge = _take(tx, charge, charge["amount"])
    elif status == "pending":
        charge = tx.put({**charge, "captured": True, "amount_captured": charge["amount"]})
    tx.emit(f"charge.{status}", charge)
    return charge


def _take(tx: Transaction, charge: Record, amount: int) -> JsonObject:
    """The money arrives: the charge is captured, for all or for a part."""
    movement = new_balance_transaction(
        tx,
        kind="charge" if charge["payment_method_details"]["type"] == "card" else "payment",
        amount=amount,
        currency=charge["currency"],
        source=charge["id"],
        description=charge["description"],
        fee=payment_fee(amount),
        at_once=banks.behaviour_of(tx, charge["payment_method"])["available_at_once"],
    )
    return tx.put(
        {
            **charge,
            "amount_captured": amount,
            "balance_transaction": movement["id"],
            "captured": True,
        }
    )


def capture(tx: Transaction, charge: Record, amount: int) -> JsonObject:
    """Take `amount` of an authorized charge; the rest is let go, as a refund."""
    after = _take(tx, charge, amount)
    after = tx.put({**after, "amount_refunded": charge["amount"] - amount})
    tx.emit("charge.captured", after)
    return after


def release(tx: Transaction, charge: Record) -> JsonObject:
    """Let an authorization go: nothing was taken."""
    after = tx.put({**charge, "amount_refunded": charge["amount"], "refunded": True})
    tx.emit("charge.refunded", after)
    return after


def settle(tx: Transaction, charge: Record, *, decline_code: str | None) -> JsonObject:
    """The bank debit under way succeeds, or fails with a code."""
    if decline_code is None:
        after = _take(tx, charge, charge["amount"])
        after = tx.put(
            {**after, "paid": True, "status": LIFECYCLE.next(charge["status"], "succeed")}
        )
        tx.emit("charge.succeeded", after)
        return after
    after = tx.put(
        {
            **charge,
            "amount_captured": 0,
            "captured": False,
            "failure_code": decline_code,
            "failure_message": "The customer's bank account could not be debited.",
            "outcome": _outcome(decline_code),
            "status": LIFECYCLE.next(charge["status"], "fail"),
        }
    )
    tx.emit("charge.failed", after)
    return after


def refundable(charge: Record) -> int:
    """How much of the charge can still be refunded, in minor units."""
    return int(charge["amount_captured"]) - refunded_of_captured(charge)


def refunded_of_captured(charge: Record) -> int:
    """How much of what was captured went back: what a partial capture let go never came."""
    return int(charge["amount_refunded"]) - (int(charge["amount"]) - int(charge["amount_captured"]))


def included_refunds(tx: Transaction, charge: Record) -> JsonObject:
    """`charge.refunds`, which only `expand` shows: the ten newest."""
    found = list(tx.newest("refund", where={"charge": charge["id"]}))
    url = f"/v1/charges/{charge['id']}/refunds"
    return listing(found[:10], url=url, has_more=len(found) > 10)


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/charges/{id}"""
    return dict(tx.get("charge", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/charges/{id}"""
    before, params = tx.get("charge", call.object_id), call.params
    values: JsonObject = {name: params[name] or None for name in _TEXTS if name in params}
    report = (params.get("fraud_details") or {}).get("user_report")
    if report is not None:
        values["fraud_details"] = {"user_report": report} if report else {}
    values["metadata"] = metadata.merged(before, params)
    return tx.change(before, "charge.updated", **values)


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/charges"""
    params = call.params
    where = equal_to(params, "customer", "payment_intent", "transfer_group")
    return page(created_within(tx.newest("charge", where=where), params), params, url="/v1/charges")


def _outcome(decline_code: str | None) -> JsonObject:
    paid = decline_code is None
    blocked = decline_code == "fraudulent"
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network" if paid else "declined_by_network",
        "reason": decline_code,
        "risk_level": "highest" if blocked else "normal",
        "seller_message": "Payment complete." if paid else "The bank refused the charge.",
        "type": "authorized" if paid else "issuer_declined",
    }


def _details(tx: Transaction, method: Record) -> JsonObject:
    kind: str = method["type"]
    given = method[kind]
    names = _CARD_DETAILS if kind == "card" else sorted(given.keys() - _NOT_OF_A_CHARGE)
    shown = {name: given[name] for name in names}
    if kind not in {"card", "customer_balance"}:
        shown["mandate"] = banks.behaviour_of(tx, method["id"])["mandate"]
    return {kind: shown, "type": kind}


OPERATIONS = (
    operation(
        "charges.list", "GET /v1/charges", list_all, "customer payment_intent transfer_group"
    ),
    operation("charges.retrieve", "GET /v1/charges/{id}", retrieve),
    operation(
        "charges.update",
        "POST /v1/charges/{id}",
        update,
        "description metadata metadata.* receipt_email transfer_group fraud_details.user_report",
    ),
)
