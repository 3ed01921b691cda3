"""Pending updates: changes that take effect only when the invoice for them is paid.

`subscription.pending_update` shows what Stripe shows; what will be stored when the invoice is paid
is kept beside it.
"""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import billed_time
from stripe_double.resources.subscription_states import FIRST_PAYMENT_SECONDS, with_items

_KEPT = "pending_change"


def await_payment(
    tx: Transaction, subscription: Record, invoice: Record, *, items: list[Record], values: Record
) -> JsonObject:
    """Hold these items and fields back until the invoice is paid, for 23 hours at most."""
    tx.keep(
        _KEPT,
        {
            "id": subscription["id"],
            "invoice": invoice["id"],
            "items": items,
            "values": dict(values),
        },
    )
    shown: JsonObject = {
        "billing_cycle_anchor": values.get("billing_cycle_anchor"),
        "cancel_at_period_end": None,
        "discount": None,
        "discounts": None,
        "expires_at": tx.now + FIRST_PAYMENT_SECONDS,
        "metadata": None,
        "subscription_items": items,
        "trial_end": values.get("trial_end"),
        "trial_from_plan": None,
    }
    return tx.change(
        subscription,
        "customer.subscription.updated",
        pending_update=shown,
        latest_invoice=invoice["id"],
    )


def waits_for(tx: Transaction, subscription: Record, invoice: Record) -> bool:
    """Whether the subscription's pending update waits for this invoice."""
    kept = tx.store.find(_KEPT, subscription["id"])
    return (
        subscription["pending_update"] is not None
        and kept is not None
        and kept["invoice"] == invoice["id"]
    )


def apply_if_paid(tx: Transaction, subscription: Record, invoice: Record) -> None:
    """The invoice is paid: the update that waited for it takes effect."""
    if not waits_for(tx, subscription, invoice):
        return
    kept = tx.store.find(_KEPT, subscription["id"]) or {}
    after = tx.change(
        subscription,
        "customer.subscription.updated",
        **kept["values"],
        items=with_items(subscription, kept["items"]),
        pending_update=None,
    )
    billed_time.note_invoice(tx, invoice)
    tx.emit("customer.subscription.pending_update_applied", after)


def expire(tx: Transaction, subscription: Record) -> JsonObject:
    """The update will not happen; the subscription stays as it is."""
    after = tx.change(subscription, "customer.subscription.updated", pending_update=None)
    tx.emit("customer.subscription.pending_update_expired", after)
    return after


def invoice_of(tx: Transaction, subscription: Record) -> Record | None:
    """The invoice that the pending update waits for."""
    kept = tx.store.find(_KEPT, subscription["id"])
    return None if kept is None else tx.find("invoice", kept["invoice"])
