"""A buyer pays: what a session makes when it completes, and what a declined card leaves.

Subscription, invoice and payment intent do not exist before this moment. A declined card leaves
none of them: the session stays open, the ledger notes the refused charge.
"""

from __future__ import annotations

from dataclasses import dataclass

from stripe_double.engine.errors import ApiError, card_declined, invalid_request
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import banks, payment_intents, payment_links
from stripe_double.resources.checkout_sessions import LIFECYCLE, PLAN
from stripe_double.resources.customers import new_customer
from stripe_double.resources.intent_parameters import shipping_from
from stripe_double.resources.payment_methods import attached, decline_code_of, new_payment_method
from stripe_double.resources.subscription_creation import subscription_from_session
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
        raise invalid_request(
            f"This Checkout Session is {session['status']}; it can no longer be paid.",
            code="checkout_session_not_open",
        )
    plan = tx.store.find(PLAN, session["id"]) or {}
    amount_due = _amount_due(session, plan)
    refusal = _refusal(tx, buyer)
    if refusal is not None and amount_due > 0:
        return _decline(tx, session, amount_due, refusal)
    customer = _customer(tx, session, buyer)
    method = _method(tx, customer, buyer)
    if session["mode"] == "subscription":
        made = _subscribe(tx, customer, method, plan)
    else:
        made = _charge_once(tx, session, customer, method, plan)
    after = tx.put(
        {
            **session,
            **made,
            "customer": customer["id"],
            "customer_details": {
                **(session["customer_details"] or _no_details()),
                "email": buyer.email or customer["email"],
                "name": buyer.name or customer["name"],
            },
            "payment_status": _payment_status(tx, made, amount_due),
            "status": LIFECYCLE.next(session["status"], "complete"),
            "url": None,
        }
    )
    tx.emit("checkout.session.completed", after)
    payment_links.note_completion(tx, after)
    return after


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
    subscription = purpose.get("subscription")
    where = {"subscription": subscription}
    return next(tx.newest("checkout.session", where=where), None) if subscription else None


def _amount_due(session: Record, plan: Record) -> int:
    trial = session["mode"] == "subscription" and plan["subscription_data"].get("trial_period_days")
    return 0 if trial else int(session["amount_total"])


def _refusal(tx: Transaction, buyer: Buyer) -> str | None:
    if buyer.method is not None:
        return decline_code_of(tx, buyer.method["id"])
    return buyer.card.decline_code if isinstance(buyer.card, Card) else None


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


def _customer(tx: Transaction, session: Record, buyer: Buyer) -> Record:
    if session["customer"] is not None:
        return tx.get("customer", session["customer"], param="customer")
    email = buyer.email or session["customer_email"]
    if not email:
        raise invalid_request("An email address is required to complete this session.")
    return new_customer(tx, {"email": email, "name": buyer.name})


def _method(tx: Transaction, customer: Record, buyer: Buyer) -> Record:
    """The payment method, attached; the buyer is there to prove that it is his."""
    if buyer.method is not None:
        method = attached(tx, buyer.method, customer["id"])
    elif buyer.card is None:
        raise invalid_request("A payment method is required to complete this session.")
    else:
        billing = {
            "email": buyer.email or customer["email"],
            "name": buyer.name or customer["name"],
        }
        method = new_payment_method(tx, buyer.card, customer=customer["id"], billing=billing)
    banks.prove(tx, method["id"])
    return method


def _subscribe(tx: Transaction, customer: Record, method: Record, plan: Record) -> JsonObject:
    subscription = subscription_from_session(
        tx, customer=customer, method=method, lines=plan["items"], data=plan["subscription_data"]
    )
    return {"subscription": subscription["id"], "invoice": subscription["latest_invoice"]}


def _charge_once(
    tx: Transaction, session: Record, customer: Record, method: Record, plan: Record
) -> JsonObject:
    if not session["amount_total"]:
        return {}
    data = plan["payment_intent_data"]
    intent = payment_intents.new_payment_intent(
        tx,
        amount_minor=session["amount_total"],
        currency=session["currency"],
        customer=customer["id"],
        description=data.get("description"),
        metadata=data.get("metadata"),
        values={
            "payment_method_types": session["payment_method_types"],
            "setup_future_usage": data.get("setup_future_usage") or "off_session",
            "shipping": shipping_from(data),
        },
    )
    purpose = {"session": session["id"]}
    payment_intents.attempt(tx, intent, method, decline_code=None, purpose=purpose)
    return {"payment_intent": intent["id"]}


def _no_details() -> JsonObject:
    return {
        "address": None,
        "business_name": None,
        "individual_name": None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }
