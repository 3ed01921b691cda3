"""Payment intents: what they are, their states, and what one attempt to pay does to them.

The API operations are in `payment_intent_operations`; what follows from a payment that ends later
is in `settlements`.
"""

from __future__ import annotations

from dataclasses import dataclass

from stripe_double.engine.errors import decline_of
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import banks, charges, disputes, early_fraud_warnings, payment_methods

_ATTEMPTED = ("requires_payment_method", "requires_confirmation", "requires_action")
LIFECYCLE = Lifecycle(
    "PaymentIntent",
    {
        **{(state, "succeed"): "succeeded" for state in (*_ATTEMPTED, "processing")},
        **{(state, "fail"): "requires_payment_method" for state in (*_ATTEMPTED, "processing")},
        **{(state, "authorize"): "requires_capture" for state in _ATTEMPTED},
        **{(state, "process"): "processing" for state in _ATTEMPTED},
        **{(state, "require action"): "requires_action" for state in _ATTEMPTED},
        **{(state, "cancel"): "canceled" for state in (*_ATTEMPTED, "requires_capture")},
        **{(state, "prepare"): "requires_confirmation" for state in _ATTEMPTED},
        ("requires_capture", "capture"): "succeeded",
    },
)
PURPOSE = "payment.purpose"
"""Private collection: which invoice, subscription or session an intent pays, by intent id."""
SETTLEMENT = "payment.settlement"
"""Private collection: when a payment under way ends (`due_at`, None: it ended), by intent id."""


@dataclass(frozen=True, slots=True)
class Move:
    """What an attempt does to the intent, and why its bank refused."""

    action: str
    decline_code: str | None = None


def decide(
    bank: Record,
    *,
    capture_method: str = "automatic",
    off_session: bool = False,
    authenticated: bool = False,
) -> Move:
    """What the bank makes of an attempt. Pure."""
    if bank["settles_after_seconds"] is not None:
        return Move("process")
    needs = bank["authentication"]
    if not authenticated and (
        needs == "always" or (needs == "unless_set_up" and not bank["set_up"])
    ):
        return Move("fail", "authentication_required") if off_session else Move("require action")
    if bank["decline_code"]:
        return Move("fail", bank["decline_code"])
    return Move("authorize" if capture_method == "manual" else "succeed")


def new_payment_intent(
    tx: Transaction,
    *,
    amount_minor: int,
    currency: str,
    customer: str | None,
    description: str | None = None,
    metadata: Record | None = None,
    values: Record | None = None,
) -> JsonObject:
    """Create and announce an intent that waits for a payment method.

    `values` replace what an intent of an invoice or a session has.
    """
    intent_id = tx.new_id("payment_intent")
    intent = tx.put(
        {
            "id": intent_id,
            "object": "payment_intent",
            "allowed_payment_method_types": None,
            "amount": amount_minor,
            "amount_capturable": 0,
            "amount_received": 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": None,
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": "automatic",
            "client_secret": f"{intent_id}_{tx.new_id('client_secret')}",
            "confirmation_method": "automatic",
            "created": tx.now,
            "currency": currency,
            "customer": customer,
            "customer_account": None,
            "description": description,
            "excluded_payment_method_types": None,
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "managed_payments": None,
            "metadata": dict(metadata or {}),
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": {},
            "payment_method_types": ["card"],
            "processing": None,
            "receipt_email": None,
            "review": None,
            "setup_future_usage": "off_session",
            "shipping": None,
            "source": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "requires_payment_method",
            "transfer_data": None,
            "transfer_group": None,
            **(values or {}),
        }
    )
    tx.emit("payment_intent.created", intent)
    return intent


def attempt(
    tx: Transaction,
    intent: Record,
    method: Record,
    *,
    decline_code: str | None,
    purpose: Record,
    off_session: bool = False,
) -> JsonObject:
    """Ask the payment method's bank once; the intent afterwards, its `status` tells the outcome:
    succeeded, requires_capture, processing, requires_action, or requires_payment_method (refused).

    `decline_code` makes the bank refuse; None: it does what it does. `purpose` names the invoice,
    subscription or session in the ledger. `off_session`: the buyer is not there to be asked.
    """
    move = Move("fail", decline_code)
    if decline_code is None:
        move = decide(
            banks.behaviour_of(tx, method["id"]),
            capture_method=intent["capture_method"],
            off_session=off_session,
            authenticated=banks.is_proved(tx, method["id"]),
        )
    tx.keep(PURPOSE, {**purpose, "id": intent["id"]})
    status = LIFECYCLE.next(intent["status"], move.action)
    if move.action == "require action":
        return _require_action(tx, intent, method, status)
    return _charge(tx, intent, method, status, move)


def _charge(tx: Transaction, intent: Record, method: Record, status: str, move: Move) -> JsonObject:
    """Make the charge, and what the charge makes."""
    failed, pending = move.action == "fail", move.action == "process"
    charge = charges.new_charge(
        tx,
        intent,
        method,
        status="failed" if failed else "pending" if pending else "succeeded",
        decline_code=move.decline_code,
        captured=move.action == "succeed",
    )
    note(tx, intent, charge, "declined" if failed else "processing" if pending else "succeeded")
    values: JsonObject = {
        "status": status,
        "latest_charge": charge["id"],
        "next_action": None,
        "payment_method": None if failed else method["id"],
        "last_payment_error": payment_error(charge, method, move.decline_code),
    }
    if move.action == "succeed":
        values["amount_received"] = intent["amount"]
    elif move.action == "authorize":
        values["amount_capturable"] = intent["amount"]
    after = tx.put({**intent, **values})
    tx.emit(_EVENTS[move.action], after)
    if pending:
        seconds = banks.behaviour_of(tx, method["id"])["settles_after_seconds"]
        tx.keep(SETTLEMENT, {"id": intent["id"], "due_at": tx.world_now + seconds})
    elif not failed:
        _remember_use(tx, after, method)
    if move.action == "succeed":
        follow_money(tx, charge, method)
    return after


_EVENTS = {
    "succeed": "payment_intent.succeeded",
    "fail": "payment_intent.payment_failed",
    "process": "payment_intent.processing",
    "authorize": "payment_intent.amount_capturable_updated",
}


def _require_action(tx: Transaction, intent: Record, method: Record, status: str) -> JsonObject:
    after = tx.put(
        {
            **intent,
            "last_payment_error": None,
            "next_action": next_action(tx, intent),
            "payment_method": method["id"],
            "status": status,
        }
    )
    tx.emit("payment_intent.requires_action", after)
    return after


def next_action(tx: Transaction, intent: Record, return_url: str | None = None) -> JsonObject:
    """Where the buyer proves who he is: a page of the double."""
    url = f"{tx.options.page_base_url}/c/authenticate/{intent['id']}"
    return {
        "redirect_to_url": {"return_url": return_url, "url": url},
        "type": "redirect_to_url",
    }


def return_to(tx: Transaction, intent: Record, return_url: str) -> JsonObject:
    """Where the buyer goes after the page of `next_action`."""
    return tx.put({**intent, "next_action": next_action(tx, intent, return_url)})


def fail_action(tx: Transaction, intent: Record, decline_code: str) -> JsonObject:
    """The buyer did not, or could not, prove who he is. No charge was made."""
    method = tx.get("payment_method", intent["payment_method"])
    code, message = decline_of(decline_code)
    after = tx.put(
        {
            **intent,
            "last_payment_error": {
                "code": code,
                "decline_code": decline_code,
                "message": message,
                "payment_method": method,
                "type": "card_error",
            },
            "next_action": None,
            "payment_method": None,
            "status": LIFECYCLE.next(intent["status"], "fail"),
        }
    )
    tx.emit("payment_intent.payment_failed", after)
    return after


def purpose_of(tx: Transaction, intent: Record) -> JsonObject:
    """The invoice, subscription or session that the intent pays; empty when it pays for itself."""
    purpose = dict(tx.store.find(PURPOSE, intent["id"]) or {})
    purpose.pop("id", None)
    return purpose


def follow_money(tx: Transaction, charge: Record, method: Record) -> None:
    """What some test cards bring with them: a dispute, or a warning of fraud."""
    bank = banks.behaviour_of(tx, method["id"])
    if bank["fraud_type"]:
        early_fraud_warnings.warn(tx, charge, fraud_type=bank["fraud_type"])
    if bank["dispute_reason"]:
        disputes.open_dispute(tx, charge, reason=bank["dispute_reason"], inquiry=bank["inquiry"])


def _remember_use(tx: Transaction, intent: Record, method: Record) -> None:
    """Attached and set up for later when the intent says so; else one without a customer is
    spent."""
    if intent["customer"] is not None and intent["setup_future_usage"] is not None:
        payment_methods.attached(tx, tx.get("payment_method", method["id"]), intent["customer"])
        banks.change(tx, method["id"], set_up=True)
    elif method["customer"] is None:
        banks.change(tx, method["id"], spent=True)


def settle(tx: Transaction, intent: Record) -> JsonObject:
    """End a payment that was under way, as its bank decides: `succeeded`, or failed."""
    charge = tx.get("charge", intent["latest_charge"])
    method = tx.get("payment_method", intent["payment_method"])
    decline_code = banks.behaviour_of(tx, method["id"])["decline_code"]
    status = LIFECYCLE.next(intent["status"], "fail" if decline_code else "succeed")
    charge = charges.settle(tx, charge, decline_code=decline_code)
    note(tx, intent, charge, "declined" if decline_code else "succeeded")
    tx.keep(SETTLEMENT, {"id": intent["id"], "due_at": None})
    after = tx.put(
        {
            **intent,
            "amount_received": 0 if decline_code else intent["amount"],
            "last_payment_error": payment_error(charge, method, decline_code),
            "payment_method": None if decline_code else method["id"],
            "status": status,
        }
    )
    tx.emit(_EVENTS["fail" if decline_code else "succeed"], after)
    if decline_code is None:
        _remember_use(tx, after, method)
        follow_money(tx, charge, method)
    return after


def cancel(tx: Transaction, intent: Record, *, reason: str | None) -> JsonObject:
    """Cancel an intent that took no money; an authorization is let go. ApiError 400 otherwise."""
    status = LIFECYCLE.next(intent["status"], "cancel")
    if intent["status"] == "requires_capture":
        charges.release(tx, tx.get("charge", intent["latest_charge"]))
    after = tx.put(
        {
            **intent,
            "amount_capturable": 0,
            "canceled_at": tx.now,
            "cancellation_reason": reason,
            "next_action": None,
            "status": status,
        }
    )
    tx.emit("payment_intent.canceled", after)
    return after


def note(tx: Transaction, intent: Record, charge: Record, outcome: str) -> None:
    """Enter the money asked for in the ledger, with what it was for."""
    tx.note_charge(
        charge=charge["id"],
        payment_intent=intent["id"],
        amount=charge["amount"],
        currency=charge["currency"],
        customer=charge["customer"],
        outcome=outcome,
        decline_code=(charge["outcome"] or {}).get("reason"),
        **purpose_of(tx, intent),
    )


def payment_error(charge: Record, method: Record, decline_code: str | None) -> JsonObject | None:
    """`last_payment_error` after a refusal; None when there was none."""
    if decline_code is None:
        return None
    return {
        "advice_code": None,
        "charge": charge["id"],
        "code": decline_of(decline_code)[0],
        "decline_code": decline_code,
        "message": charge["failure_message"],
        "payment_method": method,
        "type": "card_error",
    }
