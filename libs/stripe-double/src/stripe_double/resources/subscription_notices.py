"""What Stripe announces ahead: a trial that ends in three days, an invoice in seven."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import billing_timers, subscription_billing
from stripe_double.resources.invoice_objects import draft
from stripe_double.resources.periods import period_end
from stripe_double.resources.subscription_states import RENEWING, first_period_end

TRIAL_NOTICE_SECONDS = 3 * 86_400
UPCOMING_NOTICE_SECONDS = 7 * 86_400


def schedule_notices(tx: Transaction, subscription: Record) -> None:
    """Set the timers that belong to this subscription's trial and period."""
    if subscription["status"] == "trialing":
        at = max(tx.now, subscription["trial_end"] - TRIAL_NOTICE_SECONDS)
        billing_timers.start(tx, "trial_will_end", subscription, at=at)
    boundary = first_period_end(subscription)
    notice = boundary - UPCOMING_NOTICE_SECONDS
    billing_timers.start(
        tx, "invoice_upcoming", subscription, at=notice if notice > tx.now else None
    )


def announce_trial_end(tx: Transaction, subscription: Record) -> None:
    """`customer.subscription.trial_will_end`, if it is still in its trial."""
    if subscription["status"] != "trialing":
        return
    if subscription["trial_end"] - TRIAL_NOTICE_SECONDS > tx.now:
        schedule_notices(tx, subscription)  # the trial was prolonged meanwhile
        return
    tx.emit("customer.subscription.trial_will_end", subscription)


def announce_invoice(tx: Transaction, subscription: Record) -> None:
    """`invoice.upcoming` with the invoice as it would be: it has no id."""
    boundary = first_period_end(subscription)
    ends = subscription["cancel_at"] is not None and subscription["cancel_at"] <= boundary
    if subscription["status"] not in RENEWING or ends:
        return
    customer = tx.store.find("customer", subscription["customer"]) or {}
    invoice = upcoming_invoice(tx, subscription, customer, boundary)
    tx.emit("invoice.upcoming", {k: v for k, v in invoice.items() if k != "id"})


def upcoming_invoice(
    tx: Transaction, subscription: Record, customer: Record, boundary: int
) -> Record:
    """The next renewal's invoice, not stored, without ids."""
    return {
        **draft(
            tx,
            invoice_id="",
            customer=customer,
            subscription=subscription,
            lines=renewal_lines(tx, subscription),
            currency=subscription["currency"],
            billing_reason="upcoming",
        ),
        "created": boundary,
        "next_payment_attempt": boundary,
        "period_end": boundary,
        "period_start": tx.now,
    }


def renewal_lines(tx: Transaction, subscription: Record) -> list[JsonObject]:
    """What waits, and the periods that begin at the next boundary; lines without ids."""
    boundary = first_period_end(subscription)
    items: list[Record] = [
        {
            **item,
            "current_period_start": boundary,
            "current_period_end": period_end(
                boundary,
                item["price"]["recurring"],
                anchor=subscription["billing_cycle_anchor"],
            ),
        }
        for item in subscription["items"]["data"]
        if item["current_period_end"] == boundary
    ]
    billed = {**subscription, "status": "active"}
    return subscription_billing.due_lines(tx, billed, items, {})
