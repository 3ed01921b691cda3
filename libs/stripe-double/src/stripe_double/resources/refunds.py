"""Refunds: money of a captured charge goes back, whole or in parts, never more than was taken."""

from __future__ import annotations

from stripe_double.engine.deadlines import Deadline
from stripe_double.engine.errors import (
    invalid_request,
    not_modelled,
    parameter_invalid,
    parameter_missing,
    state_conflict,
)
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import banks, charges, disputes, early_fraud_warnings, metadata
from stripe_double.resources.balance_transactions import new_balance_transaction
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, page

LIFECYCLE = Lifecycle(
    "refund",
    {
        ("pending", "succeed"): "succeeded",
        ("pending", "fail"): "failed",
        ("succeeded", "fail"): "failed",
        ("requires_action", "succeed"): "succeeded",
        ("requires_action", "fail"): "failed",
        ("requires_action", "cancel"): "canceled",
    },
)
SETTLES_AFTER_SECONDS = 5
OUTCOME = "refund.outcome"
"""Private collection: what the bank still does with a refund (`action`) and when (`due_at`)."""

# What the bank does with refunds -> the state they begin in, and what happens later.
BANKS: dict[str, tuple[str, str | None]] = {
    "succeeded": ("succeeded", None),
    "pending": ("pending", "succeed"),
    "failed": ("succeeded", "fail"),
    "requires_action": ("requires_action", None),
}


def refund_charge(
    tx: Transaction,
    charge: Record,
    *,
    amount: int | None = None,
    reason: str | None = None,
    metadata_given: Record | None = None,
) -> JsonObject:
    """Refund `amount` minor units of a charge, by default all that is left; announce it.

    ApiError 400: nothing captured, already refunded, disputed, or more than is left.
    """
    if charge["payment_method_details"]["type"] == "customer_balance":
        raise not_modelled("the refund of a bank transfer")
    left = _check_refundable(tx, charge)
    amount = left if amount is None else amount
    if amount > left:
        raise state_conflict(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).",
            code="charge_already_refunded" if left == 0 else None,
            param="amount",
        )
    behaviour = banks.behaviour_of(tx, charge["payment_method"])["refunds"]
    status, later = BANKS[behaviour]
    refund = tx.put(
        {
            "id": tx.new_id("refund"),
            "object": "refund",
            "amount": amount,
            "balance_transaction": None,
            "charge": charge["id"],
            "created": tx.now,
            "currency": charge["currency"],
            "customer": charge["customer"],
            "customer_account": None,
            "destination_details": _destination(tx, charge),
            "metadata": dict(metadata_given or {}),
            "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"],
            "reason": reason,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": status,
            "transfer_reversal": None,
        }
    )
    kind = "refund" if charge["payment_method_details"]["type"] == "card" else "payment_refund"
    movement = _move(tx, refund, kind, -amount)
    refund = tx.put({**refund, "balance_transaction": movement["id"]})
    if later is not None:
        due_at = tx.world_now + SETTLES_AFTER_SECONDS
        outcome = {"id": refund["id"], "action": later, "due_at": due_at}
        tx.keep(OUTCOME, outcome)
    refunded = charge["amount_refunded"] + amount
    after = tx.put(
        {**charge, "amount_refunded": refunded, "refunded": refunded == charge["amount"]}
    )
    tx.emit("charge.refunded", after, {"amount_refunded": charge["amount_refunded"]})
    tx.emit("refund.created", refund)
    if after["refunded"]:
        early_fraud_warnings.close_for(tx, after)
        disputes.close_inquiries(tx, after)
    return refund


def _check_refundable(tx: Transaction, charge: Record) -> int:
    """What is left to refund, or ApiError 400."""
    if not charge["paid"] or not charge["captured"]:
        raise state_conflict(
            f"Charge {charge['id']} has not been captured: cancel its payment intent instead."
            if charge["paid"]
            else f"Charge {charge['id']} cannot be refunded: it is {charge['status']}.",
            code=None if charge["paid"] else "charge_not_refundable",
        )
    left = charges.refundable(charge)
    if left == 0:
        raise state_conflict(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    disputed = tx.newest("dispute", where={"charge": charge["id"]})
    if any(not dispute["is_charge_refundable"] for dispute in disputed):
        raise state_conflict(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    return left


def _move(tx: Transaction, refund: Record, kind: str, amount: int) -> JsonObject:
    return new_balance_transaction(
        tx,
        kind=kind,
        amount=amount,
        currency=refund["currency"],
        source=refund["id"],
        description=f"REFUND FOR CHARGE ({refund['charge']})",
        at_once=True,
    )


def _destination(tx: Transaction, charge: Record) -> JsonObject:
    kind = charge["payment_method_details"]["type"]
    if kind != "card":
        return {"type": kind}
    card = {
        "reference": tx.new_id("reference"),
        "reference_status": "available",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    return {"card": card, "type": "card"}


def move(tx: Transaction, refund: Record, action: str) -> JsonObject:
    """`succeed`, `fail` or `cancel` a refund; money that does not arrive comes back."""
    values: JsonObject = {"status": LIFECYCLE.next(refund["status"], action)}
    if action != "succeed":
        charge = tx.get("charge", refund["charge"])
        card = charge["payment_method_details"]["type"] == "card"
        kind = "refund_failure" if card else "payment_failure_refund"
        values["failure_balance_transaction"] = _move(tx, refund, kind, refund["amount"])["id"]
        values["failure_reason"] = (
            "merchant_request" if action == "cancel" else "expired_or_canceled_card"
        )
        tx.put(
            {
                **charge,
                "amount_refunded": charge["amount_refunded"] - refund["amount"],
                "refunded": False,
            }
        )
    tx.keep(OUTCOME, {"id": refund["id"], "action": None, "due_at": None})
    after = tx.change(refund, **values)
    previous = {"status": refund["status"]}
    tx.emit("refund.updated", after, previous)
    tx.emit("charge.refund.updated", after, previous)
    if action == "fail":
        tx.emit("refund.failed", after)
    return after


def _end(tx: Transaction, outcome: Record) -> None:
    move(tx, tx.get("refund", outcome["id"]), outcome["action"])


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/refunds"""
    params = call.params
    charge = _charge_of(tx, params)
    amount = params.get("amount")
    if amount is not None and amount < 1:
        raise parameter_invalid("amount", "Invalid positive integer", "parameter_invalid_integer")
    return refund_charge(
        tx,
        charge,
        amount=amount,
        reason=params.get("reason") or None,
        metadata_given=metadata.given(params),
    )


def _charge_of(tx: Transaction, params: JsonObject) -> Record:
    charge, intent = params.get("charge"), params.get("payment_intent")
    if charge and intent:
        found = tx.get("charge", charge, param="charge")
        if found["payment_intent"] != intent:
            raise invalid_request(
                f"The charge {charge} does not belong to the payment intent {intent}."
            )
        return found
    if charge:
        return tx.get("charge", charge, param="charge")
    if not intent:
        raise parameter_missing("payment_intent")
    latest = tx.get("payment_intent", intent, param="payment_intent")["latest_charge"]
    if latest is None:
        raise state_conflict(
            f"This PaymentIntent ({intent}) does not have a successful charge to refund."
        )
    return tx.get("charge", latest, param="payment_intent")


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/refunds/{id}"""
    return dict(tx.get("refund", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/refunds/{id}: only its metadata."""
    before = tx.get("refund", call.object_id)
    after = tx.change(before, "refund.updated", metadata=metadata.merged(before, call.params))
    if after["metadata"] != before["metadata"]:
        tx.emit("charge.refund.updated", after, {"metadata": before["metadata"]})
    return after


def cancel(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/refunds/{id}/cancel: only while the customer still has to do something."""
    return move(tx, tx.get("refund", call.object_id), "cancel")


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/refunds"""
    where = equal_to(call.params, "charge", "payment_intent")
    found = created_within(tx.newest("refund", where=where), call.params)
    return page(found, call.params, url="/v1/refunds")


DEADLINES = {OUTCOME: Deadline(lambda outcome: outcome["due_at"], _end)}
OPERATIONS = (
    operation(
        "refunds.create",
        "POST /v1/refunds",
        create,
        "amount charge payment_intent reason metadata metadata.*",
    ),
    operation("refunds.list", "GET /v1/refunds", list_all, "charge payment_intent"),
    operation("refunds.retrieve", "GET /v1/refunds/{id}", retrieve),
    operation("refunds.update", "POST /v1/refunds/{id}", update, "metadata metadata.*"),
    operation("refunds.cancel", "POST /v1/refunds/{id}/cancel", cancel),
)
