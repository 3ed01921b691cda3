"""Disputes: the bank takes a payment back; evidence may win it again. Inquiries only ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stripe_double.engine.deadlines import Deadline
from stripe_double.engine.errors import state_conflict
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import charges, early_fraud_warnings, metadata
from stripe_double.resources.balance_transactions import DISPUTE_FEE, new_balance_transaction
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, page

LIFECYCLE = Lifecycle(
    "dispute",
    {
        ("warning_needs_response", "submit evidence for"): "warning_under_review",
        ("warning_needs_response", "close"): "warning_closed",
        ("warning_under_review", "close"): "warning_closed",
        ("warning_needs_response", "escalate"): "needs_response",
        ("warning_under_review", "escalate"): "needs_response",
        ("needs_response", "submit evidence for"): "under_review",
        ("needs_response", "close"): "lost",
        ("needs_response", "win"): "won",
        ("needs_response", "lose"): "lost",
        ("under_review", "win"): "won",
        ("under_review", "lose"): "lost",
    },
)
ENDED = frozenset({"won", "lost", "warning_closed"})
RESPONSE_SECONDS = 9 * 86_400
"""The time for evidence; after it a dispute is lost and an inquiry is closed."""

_NETWORK_REASONS = {"fraudulent": "10.4", "product_not_received": "13.1"}
# Sent as `evidence[uncategorized_text]`, these end a dispute at once, as in Stripe's test mode.
_DECIDING_TEXTS = {
    "winning_evidence": "win",
    "losing_evidence": "lose",
    "escalate_inquiry_evidence": "escalate",
}
_FILES = (
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
)
_TEXTS = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
    "uncategorized_text",
)


def open_dispute(
    tx: Transaction,
    charge: Record,
    *,
    reason: str = "fraudulent",
    inquiry: bool = False,
    amount: int | None = None,
) -> JsonObject:
    """Dispute `amount` of a charge, by default all that is left; an inquiry takes no money."""
    left = charges.refundable(charge)
    amount = left if amount is None else amount
    if charge["disputed"] or not 0 < amount <= left or not charge["paid"]:
        raise state_conflict(
            f"Charge {charge['id']} cannot be disputed for {amount}: {left} of it is left, and a "
            "charge is disputed once."
        )
    card = charge["payment_method_details"].get("card")
    code = _NETWORK_REASONS.get(reason, "00")
    dispute = tx.put(
        {
            "id": tx.new_id("dispute"),
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [],
            "charge": charge["id"],
            "created": tx.now,
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": _no_evidence(tx, charge),
            "evidence_details": {
                "due_by": tx.now + RESPONSE_SECONDS,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
                "submission_method": "not_submitted",
            },
            "intended_submission_method": None,
            "is_charge_refundable": inquiry,
            "livemode": False,
            "metadata": {},
            "network_reason_code": code,
            "payment_intent": charge["payment_intent"],
            "payment_method_details": card
            and {
                "card": {
                    "brand": card["brand"],
                    "case_type": "inquiry" if inquiry else "chargeback",
                    "network": card["brand"],
                    "network_reason_code": code,
                },
                "type": "card",
            },
            "reason": reason,
            "status": "warning_needs_response" if inquiry else "needs_response",
        }
    )
    disputed = tx.put({**tx.get("charge", charge["id"]), "disputed": True})
    if inquiry:
        tx.emit("charge.dispute.created", dispute)
    else:
        dispute = tx.put({**dispute, **_withdrawal(tx, dispute)})
        tx.emit("charge.dispute.created", dispute)
        tx.emit("charge.dispute.funds_withdrawn", dispute)
    early_fraud_warnings.close_for(tx, disputed)
    return dispute


def _withdrawal(tx: Transaction, dispute: Record) -> JsonObject:
    return _movement(tx, dispute, -dispute["amount"], DISPUTE_FEE, "dispute")


def _movement(tx: Transaction, dispute: Record, amount: int, fee: int, category: str) -> JsonObject:
    movement = new_balance_transaction(
        tx,
        kind="adjustment",
        amount=amount,
        currency=dispute["currency"],
        source=dispute["id"],
        description=f"Chargeback of {dispute['charge']}{'' if amount < 0 else ' reversed'}",
        fee=fee,
        at_once=True,
        category=category,
    )
    return {"balance_transactions": [*dispute["balance_transactions"], movement]}


def move(
    tx: Transaction, dispute: Record, action: str, values: Mapping[str, Any] | None = None
) -> JsonObject:
    """`win`, `lose`, `close` or `escalate` a dispute, and move the money that goes with it."""
    status = LIFECYCLE.next(dispute["status"], action)
    changes: JsonObject = {**(values or {}), "status": status}
    if action == "win":
        changes |= _movement(tx, dispute, dispute["amount"], 0, "dispute_reversal")
        changes["is_charge_refundable"] = True
    elif action == "escalate":
        left = charges.refundable(tx.get("charge", dispute["charge"]))
        changes["amount"] = min(dispute["amount"], left)
        changes |= _withdrawal(tx, {**dispute, **changes})
        changes["is_charge_refundable"] = False
        changes["evidence_details"] = {
            **dispute["evidence_details"],
            "due_by": tx.now + RESPONSE_SECONDS,
            "submission_count": 0,
        }
    after = tx.put({**dispute, **changes})
    if action == "escalate":
        tx.emit("charge.dispute.updated", after, _previous(dispute, after))
        tx.emit("charge.dispute.funds_withdrawn", after)
    else:
        tx.emit("charge.dispute.closed", after)
        if action == "win":
            tx.emit("charge.dispute.funds_reinstated", after)
    return after


def close_inquiries(tx: Transaction, charge: Record) -> None:
    """The charge was refunded in full: an inquiry about it has nothing left to ask."""
    for dispute in list(tx.newest("dispute", where={"charge": charge["id"]})):
        if dispute["status"].startswith("warning_") and dispute["status"] not in ENDED:
            move(tx, dispute, "close")


def _previous(before: Record, after: Record) -> JsonObject:
    return {name: before[name] for name in before if before[name] != after[name]}


def due(dispute: Record) -> int | None:
    """When the time for evidence is over."""
    waiting = dispute["status"] in {"needs_response", "warning_needs_response"}
    return dispute["evidence_details"]["due_by"] if waiting else None


def _run_out(tx: Transaction, dispute: Record) -> None:
    """Nobody answered in time."""
    details = {**dispute["evidence_details"], "past_due": True}
    action = "close" if dispute["status"] == "warning_needs_response" else "lose"
    move(tx, dispute, action, {"evidence_details": details})


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/disputes/{id}: stage evidence; `submit` (the default) sends it to the bank."""
    before, params = tx.get("dispute", call.object_id), call.params
    evidence = params.get("evidence") or {}
    submits = (bool(evidence) and params.get("submit", True)) or bool(params.get("submit"))
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if evidence or submits:
        status = LIFECYCLE.next(before["status"], "submit evidence for")
        values["evidence"] = {
            **before["evidence"],
            **{name: value or None for name, value in evidence.items()},
        }
        values["evidence_details"] = {
            **before["evidence_details"],
            "has_evidence": True,
            "submission_count": before["evidence_details"]["submission_count"] + submits,
            "submission_method": "manual" if submits else "not_submitted",
        }
        if submits:
            values["status"] = status
    after = tx.change(before, "charge.dispute.updated", **values)
    if submits:
        decision = _DECIDING_TEXTS.get(after["evidence"]["uncategorized_text"] or "")
        if decision is not None and LIFECYCLE.allows(after["status"], decision):
            after = move(tx, after, decision)
    return after


def close(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/disputes/{id}/close: no evidence will come; it is lost for good."""
    return move(tx, tx.get("dispute", call.object_id), "close")


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/disputes/{id}"""
    return dict(tx.get("dispute", call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/disputes"""
    where = equal_to(call.params, "charge", "payment_intent")
    found = created_within(tx.newest("dispute", where=where), call.params)
    return page(found, call.params, url="/v1/disputes")


def _no_evidence(tx: Transaction, charge: Record) -> JsonObject:
    customer = tx.store.find("customer", charge["customer"] or "") or {}
    billing = charge["billing_details"]
    return {
        **dict.fromkeys((*_FILES, *_TEXTS)),
        "customer_email_address": billing["email"] or customer.get("email"),
        "customer_name": billing["name"] or customer.get("name"),
        "enhanced_evidence": {},
    }


DEADLINES = {"dispute": Deadline(due, _run_out)}
OPERATIONS = (
    operation("disputes.list", "GET /v1/disputes", list_all, "charge payment_intent"),
    operation("disputes.retrieve", "GET /v1/disputes/{id}", retrieve),
    operation(
        "disputes.update",
        "POST /v1/disputes/{id}",
        update,
        "metadata metadata.* submit " + " ".join(f"evidence.{name}" for name in _TEXTS),
    ),
    operation("disputes.close", "POST /v1/disputes/{id}/close", close),
)
