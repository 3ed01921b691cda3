"""What the clock does to subscriptions and their invoices: renew, collect, retry, end."""

from __future__ import annotations

from stripe_double.engine.deadlines import Deadline
from stripe_double.engine.errors import invalid_request
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import invoices
from stripe_double.resources.periods import period_end
from stripe_double.resources.subscriptions import (
    LIFECYCLE,
    end_subscription,
    first_period_end,
)

_BILLED = frozenset({"active", "past_due", "trialing"})


def subscription_due(subscription: Record) -> int | None:
    """When the clock must renew or end this subscription."""
    if subscription["status"] not in _BILLED:
        return None
    boundary = first_period_end(subscription)
    end = subscription["cancel_at"]
    return boundary if end is None else min(boundary, end)


def reach_boundary(tx: Transaction, subscription: Record) -> None:
    """A period ended: end the subscription if it was to end, else draft the next invoice."""
    end = subscription["cancel_at"]
    if end is not None and end <= tx.now:
        end_subscription(tx, subscription, reason="cancellation_requested")
    else:
        renew(tx, subscription)


def renew(tx: Transaction, subscription: Record) -> tuple[JsonObject, JsonObject]:
    """Start the next period and draft its invoice: (subscription, invoice)."""
    boundary = first_period_end(subscription)
    items = [_next_period(item, boundary, subscription) for item in subscription["items"]["data"]]
    renewed = [item for item in items if item["current_period_start"] == boundary]
    status = subscription["status"]
    if status == "trialing":
        status = LIFECYCLE.next(status, "activate")
    started = tx.put(
        {
            **subscription,
            "status": status,
            "items": {**subscription["items"], "data": items},
        }
    )
    invoice = invoices.new_invoice(
        tx,
        customer=tx.get("customer", subscription["customer"]),
        subscription=started,
        items=renewed,
        billing_reason="subscription_cycle",
        auto_advance=True,
    )
    after = tx.put({**started, "latest_invoice": invoice["id"]})
    previous = {
        name: subscription[name]
        for name in ("status", "items", "latest_invoice")
        if subscription[name] != after[name]
    }
    tx.emit("customer.subscription.updated", after, previous)
    return after, invoice


def _next_period(item: Record, boundary: int, subscription: Record) -> Record:
    if item["current_period_end"] != boundary:
        return item
    end = period_end(
        boundary, item["price"]["recurring"], anchor=subscription["billing_cycle_anchor"]
    )
    return {**item, "current_period_start": boundary, "current_period_end": end}


def collect(tx: Transaction, invoice: Record, *, decline_code: str | None = None) -> JsonObject:
    """Try to collect an open invoice and let its subscription follow.

    `decline_code` overrides what the card's bank would say.
    """
    subscription = tx.get("subscription", invoices.subscription_of(invoice))
    method = tx.get("payment_method", subscription["default_payment_method"])
    reason = decline_code or invoices.default_decline_code(tx, method)
    after = invoices.pay(tx, invoice, method, decline_code=reason)
    if subscription["status"] not in _BILLED:
        return after
    if after["status"] == "paid":
        _follow(tx, subscription, "activate")
    elif after["next_payment_attempt"] is None:
        end_subscription(tx, subscription, reason="payment_failed")
    else:
        _follow(tx, subscription, "miss")
    return after


def _follow(tx: Transaction, subscription: Record, action: str) -> None:
    if LIFECYCLE.allows(subscription["status"], action):
        status = LIFECYCLE.next(subscription["status"], action)
        if action == "miss" or _all_paid(tx, subscription):
            tx.change(subscription, "customer.subscription.updated", status=status)


def _all_paid(tx: Transaction, subscription: Record) -> bool:
    latest = tx.store.find("invoice", subscription["latest_invoice"])
    return latest is None or latest["status"] == "paid"


def advance_invoice(tx: Transaction, invoice: Record) -> None:
    """The clock reached the invoice's next step."""
    if invoice["status"] == "draft":
        invoice = invoices.finalize(tx, invoice)
    collect(tx, invoice)


def renew_now(tx: Transaction, subscription: Record, *, decline_code: str | None) -> JsonObject:
    """Renew as if the boundary were reached now, and collect at once: the invoice."""
    if subscription["status"] not in _BILLED:
        raise invalid_request(f"A subscription that is {subscription['status']} does not renew.")
    _, invoice = renew(tx, subscription)
    return collect(tx, invoices.finalize(tx, invoice), decline_code=decline_code)


DEADLINES = {
    "subscription": Deadline(subscription_due, reach_boundary),
    "invoice": Deadline(invoices.due, advance_invoice),
}
