"""Payments that end after the call that began them: debits under way, buyers who prove themselves.

What an intent pays for follows it: the invoice is paid, the Checkout Session tells its outcome.
"""

from __future__ import annotations

from stripe_double.engine.deadlines import Deadline
from stripe_double.engine.errors import state_conflict
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import banks, payment_intents
from stripe_double.resources.checkout_completion import note_payment
from stripe_double.resources.invoice_collection import settle_intent


def follow(tx: Transaction, before: Record, after: Record) -> None:
    """The intent changed outside its invoice's or session's own attempt: let them follow."""
    if after["status"] in {before["status"], "processing"}:
        return
    settle_intent(tx, after)
    note_payment(tx, after, payment_intents.purpose_of(tx, after))


def settle_now(tx: Transaction, intent: Record) -> JsonObject:
    """End a debit that is under way, as its bank decides."""
    if intent["status"] != "processing":
        raise state_conflict(f"This payment is {intent['status']}; nothing is under way.")
    after = payment_intents.settle(tx, intent)
    follow(tx, intent, after)
    return after


def authenticate(tx: Transaction, intent: Record, *, succeeds: bool) -> JsonObject:
    """The buyer answers the question of `next_action`, or fails to: the intent afterwards."""
    if intent["status"] != "requires_action":
        raise state_conflict(f"This payment is {intent['status']}; it asks nothing of the buyer.")
    if (intent["next_action"] or {}).get("type") == "display_bank_transfer_instructions":
        raise state_conflict("This payment waits for a bank transfer, not for a proof.")
    method = tx.get("payment_method", intent["payment_method"])
    if succeeds:
        banks.prove(tx, method["id"])
        after = payment_intents.attempt(
            tx,
            intent,
            method,
            decline_code=None,
            purpose=payment_intents.purpose_of(tx, intent),
        )
    else:
        after = payment_intents.fail_action(tx, intent, "payment_intent_authentication_failure")
    follow(tx, intent, after)
    return after


def _end(tx: Transaction, settlement: Record) -> None:
    settle_now(tx, tx.get("payment_intent", settlement["id"]))


DEADLINES = {payment_intents.SETTLEMENT: Deadline(lambda under_way: under_way["due_at"], _end)}
