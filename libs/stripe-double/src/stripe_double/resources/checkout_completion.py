"""A buyer pays: what a session makes when it completes, and what a declined card leaves.

Subscription, invoice and payment intent do not exist before this moment. A declined card leaves
none of them: the session stays open, the ledger notes the refused charge.
"""

from __future__ import annotations

from dataclasses import dataclass

from stripe_double.engine.errors import (
    ApiError,
    card_declined,
    invalid_request,
    state_conflict,
)
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import banks, checkout_making, discounts, payment_links
from stripe_double.resources.checkout_amounts import due_today
from stripe_double.resources.checkout_sessions import LIFECYCLE, PLAN
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.customers import new_customer
from stripe_double.resources.payment_methods import attached, new_payment_method
from stripe_double.resources.test_accounts import Account
from stripe_double.resources.test_cards import Card


@dataclass(frozen=True, slots=True)
class Buyer:
    """What the person typed: a test card or account, or a payment method made before."""

    card: Card | Account | None = None
    method: Record | None = None
    email: str | None = None
    name: str | None = None


def pay_session(tx: Transaction, session: Record, buyer: Buyer) -> JsonObject | ApiError:
    """The completed session; or the card error (402), returned so that its traces are kept."""
    if not LIFECYCLE.allows(session["status"], "complete"):
        raise state_conflict(
            f"This Checkout Session is {session['status']}; it can no longer be paid.",
            code="checkout_session_not_open",
        )
    plan = tx.store.find(PLAN, session["id"]) or {}
    amount_due = due_today(session, plan)
    choices = discounts.chosen(
        tx,
        session["discounts"],
        customer=session["customer"],
        amount=session["amount_subtotal"] or 0,
        currency=session["currency"],
    )
    refusal = _refusal(tx, buyer, charges=amount_due > 0)
    if refusal is not None:
        return _decline(tx, session, amount_due, refusal)
    customer = _customer(tx, session, plan, buyer)
    if customer is not None:
        stand_at(tx, customer)
    method = _method(tx, session, customer, buyer, amount_due)
    made = _make(tx, session, customer, method, plan, choices=choices)
    known: Record = customer or {"id": None, "email": None, "name": None}
    after = tx.put(
        {
            **session,
            **made,
            "customer": known["id"],
            "customer_details": {
                **(session["customer_details"] or _no_details()),
                "email": buyer.email or known["email"] or session["customer_email"],
                "name": buyer.name or known["name"],
            },
            "payment_status": _payment_status(tx, made, amount_due),
            "status": LIFECYCLE.next(session["status"], "complete"),
            "url": None,
        }
    )
    tx.emit("checkout.session.completed", after)
    payment_links.note_completion(tx, after)
    return after


def _make(
    tx: Transaction,
    session: Record,
    customer: Record | None,
    method: Record | None,
    plan: Record,
    *,
    choices: list[discounts.Choice],
) -> JsonObject:
    if session["mode"] == "subscription" and customer is not None:
        return checkout_making.subscribe(tx, session, customer, method, plan, choices=choices)
    for choice in choices:
        owner = None if customer is None else customer["id"]
        discounts.give(tx, choice, customer=owner, session=session["id"])
    if session["mode"] == "setup" and method is not None:
        checkout_making.set_up(tx, session, customer, method)
        return {}
    if method is None or not session["amount_total"]:
        return {}
    if session["invoice_creation"]["enabled"] and customer is not None:
        return checkout_making.invoice_once(tx, session, customer, method, plan)
    return checkout_making.charge_once(tx, session, customer, method, plan)


def _payment_status(tx: Transaction, made: JsonObject, amount_due: int) -> str:
    """A debit under way leaves the session complete and unpaid."""
    if not amount_due:
        return "no_payment_required"
    if "invoice" in made:
        return "paid" if tx.get("invoice", made["invoice"])["status"] == "paid" else "unpaid"
    intent = tx.get("payment_intent", made["payment_intent"])
    return "paid" if intent["status"] in {"succeeded", "requires_capture"} else "unpaid"


def note_payment(tx: Transaction, intent: Record, purpose: Record) -> None:
    """A debit that a completed session began has ended: the session tells how."""
    session = _session_of(tx, purpose)
    if session is None or (session["status"], session["payment_status"]) != ("complete", "unpaid"):
        return
    if intent["status"] == "succeeded":
        after = tx.put({**session, "payment_status": "paid"})
        tx.emit("checkout.session.async_payment_succeeded", after)
    elif intent["status"] == "requires_payment_method":
        tx.emit("checkout.session.async_payment_failed", session)


def _session_of(tx: Transaction, purpose: Record) -> Record | None:
    if purpose.get("session"):
        return tx.find("checkout.session", purpose["session"])
    for name in ("subscription", "invoice"):
        if purpose.get(name):
            return next(tx.newest("checkout.session", where={name: purpose[name]}), None)
    return None


def _refusal(tx: Transaction, buyer: Buyer, *, charges: bool) -> str | None:
    """Why the bank says no now: to a charge, or, where nothing is due, to keeping the card."""
    if buyer.method is not None:
        bank = banks.behaviour_of(tx, buyer.method["id"])
    elif buyer.card is not None:
        bank = buyer.card.behaviour
    else:
        return None
    code: str | None = bank["decline_code"]
    says_later = bank["settles_after_seconds"] is not None
    return code if not says_later and (charges or not bank["attaches"]) else None


def _decline(tx: Transaction, session: Record, amount_due: int, decline_code: str) -> ApiError:
    tx.note_charge(
        charge=None,
        payment_intent=None,
        amount=amount_due,
        currency=session["currency"],
        customer=session["customer"],
        outcome="declined",
        decline_code=decline_code,
        session=session["id"],
    )
    return card_declined(decline_code)


def _customer(tx: Transaction, session: Record, plan: Record, buyer: Buyer) -> Record | None:
    """The session's customer, or a new one; a guest's payment needs none."""
    if session["customer"] is not None:
        customer = tx.get("customer", session["customer"], param="customer")
        if plan["customer_update"].get("name") == "auto" and buyer.name:
            return tx.change(customer, "customer.updated", name=buyer.name)
        return customer
    email = buyer.email or session["customer_email"]
    if not email:
        raise invalid_request("An email address is required to complete this session.")
    keeps = plan["payment_intent_data"].get("setup_future_usage")
    invoiced = (session["invoice_creation"] or {}).get("enabled")
    if session["customer_creation"] == "always" or keeps or invoiced:
        return new_customer(tx, {"email": email, "name": buyer.name})
    return None


def _method(
    tx: Transaction, session: Record, customer: Record | None, buyer: Buyer, amount_due: int
) -> Record | None:
    """The payment method, attached; the buyer is there to prove that it is his. None where
    nothing is due and none is wanted."""
    owner = None if customer is None else str(customer["id"])
    if buyer.method is not None:
        method = buyer.method if owner is None else attached(tx, buyer.method, owner)
    elif buyer.card is not None:
        known: Record = customer or {"email": None, "name": None}
        billing = {"email": buyer.email or known["email"], "name": buyer.name or known["name"]}
        method = new_payment_method(tx, buyer.card, customer=owner, billing=billing)
    else:
        optional = session["payment_method_collection"] == "if_required"
        if amount_due == 0 and (optional or session["mode"] == "payment"):
            return None
        raise invalid_request("A payment method is required to complete this session.")
    if method["type"] not in session["payment_method_types"]:
        raise invalid_request(
            f"This Checkout Session does not accept payments by {method['type']}.",
            code="payment_method_type_not_allowed",
        )
    banks.prove(tx, method["id"])
    if session["mode"] == "subscription":
        banks.change(tx, method["id"], set_up=True)
    return method


def _no_details() -> JsonObject:
    return {
        "address": None,
        "business_name": None,
        "individual_name": None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }
