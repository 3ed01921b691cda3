"""How a subscription follows its invoices: paid, refused, given up, voided."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import pending_updates
from stripe_double.resources.invoice_states import subscription_of
from stripe_double.resources.subscription_ending import end_subscription, expire_incomplete
from stripe_double.resources.subscription_states import LIFECYCLE, TERMINAL

_SETTLED = frozenset({"paid", "void", "uncollectible"})


def after_payment(tx: Transaction, invoice: Record, method_id: str | None) -> None:
    """The invoice is paid: its subscription may become active, a pending update applies."""
    subscription = _subscription(tx, invoice)
    if subscription is None:
        return
    values: JsonObject = {}
    if _becomes_active(tx, subscription, invoice):
        values["status"] = LIFECYCLE.next(subscription["status"], "activate")
    saves = subscription["payment_settings"]["save_default_payment_method"] == "on_subscription"
    if saves and method_id is not None:
        values["default_payment_method"] = method_id
    if values:
        subscription = tx.change(subscription, "customer.subscription.updated", **values)
    pending_updates.apply_if_paid(tx, subscription, invoice)


def after_refusal(tx: Transaction, invoice: Record, *, final: bool) -> None:
    """The invoice was not paid. `final`: Stripe will not try again by itself."""
    subscription = _subscription(tx, invoice)
    if subscription is None or pending_updates.waits_for(tx, subscription, invoice):
        return
    if not final:
        _move(tx, subscription, "miss")
        return
    outcome = tx.options.subscription_after_retries
    if outcome == "cancel":
        end_subscription(tx, subscription, reason="payment_failed")
    else:
        _move(tx, subscription, "give up on" if outcome == "unpaid" else "miss")


def after_writing_off(tx: Transaction, invoice: Record) -> None:
    """The invoice was voided or given up: it no longer holds its subscription back."""
    subscription = _subscription(tx, invoice)
    if subscription is None:
        return
    if subscription["status"] == "incomplete":
        expire_incomplete(tx, subscription)
    elif pending_updates.waits_for(tx, subscription, invoice):
        pending_updates.expire(tx, subscription)
    elif subscription["status"] == "past_due" and subscription["latest_invoice"] == invoice["id"]:
        _move(tx, subscription, "activate")


def _subscription(tx: Transaction, invoice: Record) -> Record | None:
    subscription_id = subscription_of(invoice)
    found = None if subscription_id is None else tx.find("subscription", subscription_id)
    return None if found is None or found["status"] in TERMINAL else found


def _becomes_active(tx: Transaction, subscription: Record, invoice: Record) -> bool:
    if subscription["status"] == "trialing":
        return False
    if not LIFECYCLE.allows(subscription["status"], "activate"):
        return False
    latest = tx.store.find("invoice", subscription["latest_invoice"] or invoice["id"])
    return latest is None or latest["id"] == invoice["id"] or latest["status"] in _SETTLED


def _move(tx: Transaction, subscription: Record, action: str) -> None:
    if LIFECYCLE.allows(subscription["status"], action):
        status = LIFECYCLE.next(subscription["status"], action)
        tx.change(subscription, "customer.subscription.updated", status=status)
