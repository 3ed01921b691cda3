"""How a subscription ends: canceled, or expired because its first payment never came."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import schedule_states
from stripe_double.resources.invoice_states import subscription_of
from stripe_double.resources.subscription_states import LIFECYCLE, cancellation


def end_subscription(
    tx: Transaction, subscription: Record, *, reason: str, given: Record | None = None
) -> JsonObject:
    """Cancel now and announce `customer.subscription.deleted`."""
    details = cancellation(reason, given or subscription["cancellation_details"])
    after = tx.put(
        {
            **subscription,
            "status": LIFECYCLE.next(subscription["status"], "cancel"),
            "canceled_at": subscription["canceled_at"] or tx.now,
            "cancellation_details": details,
            "ended_at": tx.now,
            "pause_collection": None,
            "pending_update": None,
            "status_details": None,
        }
    )
    tx.emit("customer.subscription.deleted", after)
    schedule_states.end_with_subscription(tx, after, reason=reason)
    _stop_collecting(tx, after)
    return after


def _stop_collecting(tx: Transaction, subscription: Record) -> None:
    """Its open invoices stay open, but nobody is charged by the clock any more."""
    for invoice in list(tx.newest("invoice", where={"customer": subscription["customer"]})):
        if subscription_of(invoice) == subscription["id"] and invoice["auto_advance"]:
            tx.change(
                invoice,
                "invoice.updated",
                auto_advance=False,
                automatically_finalizes_at=None,
                next_payment_attempt=None,
            )


def expire_incomplete(tx: Transaction, subscription: Record) -> JsonObject:
    """The first payment did not come in time: terminal, and no invoice will follow."""
    after = tx.change(
        subscription,
        "customer.subscription.updated",
        status=LIFECYCLE.next(subscription["status"], "expire"),
        ended_at=tx.now,
    )
    schedule_states.end_with_subscription(tx, after, reason="payment_failed")
    return after
