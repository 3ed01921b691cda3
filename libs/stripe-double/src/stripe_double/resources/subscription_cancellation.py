"""Canceling: now, with or without giving back unused time and a last invoice, or at a set time."""

from __future__ import annotations

from stripe_double.engine.errors import ApiError, resource_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import billed_time, invoice_collection, subscription_billing
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.invoice_items import pending_for
from stripe_double.resources.operations import Call
from stripe_double.resources.subscription_changes import credits_for
from stripe_double.resources.subscription_ending import end_subscription
from stripe_double.resources.subscription_prorations import write_prorations
from stripe_double.resources.subscription_states import TERMINAL

_TERMS = "cancellation_terms"


def cancel(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """DELETE /v1/subscriptions/{id}. One that already ended is missing, as at Stripe."""
    subscription = tx.get("subscription", call.object_id)
    if subscription["status"] in TERMINAL:
        raise resource_missing("subscription", call.object_id)
    stand_at(tx, subscription)
    params = call.params
    return cancel_now(
        tx,
        subscription,
        prorates=params.get("prorate", False),
        bills=params.get("invoice_now", False),
        given=params.get("cancellation_details"),
    )


def cancel_now(
    tx: Transaction,
    subscription: Record,
    *,
    prorates: bool,
    bills: bool,
    given: Record | None = None,
) -> JsonObject:
    """End it now; give unused time back, and bill what waits at once, when so wished."""
    if prorates:
        give_back(tx, subscription)
    if bills:
        subscription = _bill_the_rest(tx, subscription)
    return end_subscription(tx, subscription, reason="cancellation_requested", given=given)


def note_terms(tx: Transaction, subscription_id: str, *, prorates: bool) -> None:
    """Whether time that is left at the set end will be given back."""
    tx.keep(_TERMS, {"id": subscription_id, "prorates": prorates})


def end_at_its_time(tx: Transaction, subscription: Record) -> JsonObject:
    """The set end has come. Time that was paid beyond it is given back when that was agreed."""
    terms = tx.store.find(_TERMS, subscription["id"])
    if terms is not None and terms["prorates"]:
        give_back(tx, subscription)
    return end_subscription(tx, subscription, reason="cancellation_requested")


def give_back(tx: Transaction, subscription: Record) -> None:
    """Credit the unused time of every item, as waiting invoice items."""
    items = subscription["items"]["data"]
    credits = credits_for(items, tx.now, lambda item_id: billed_time.latest_debit(tx, item_id))
    write_prorations(tx, subscription, credits)


def _bill_the_rest(tx: Transaction, subscription: Record) -> JsonObject:
    waiting = pending_for(
        tx, subscription["customer"], subscription["currency"], subscription["id"]
    )
    if not waiting:
        return dict(subscription)
    invoice = subscription_billing.bill(tx, subscription, [], billing_reason="subscription_update")
    after = tx.put({**subscription, "latest_invoice": invoice["id"]})
    opened = invoice_collection.finalize(tx, invoice)
    if opened["status"] == "open":
        invoice_collection.collect(tx, opened)
    current = tx.find("subscription", after["id"]) or after
    return dict(current)
