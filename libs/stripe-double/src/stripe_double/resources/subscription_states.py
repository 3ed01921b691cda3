"""The states of a subscription as a table, and what everything else reads off a subscription."""

from __future__ import annotations

from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction

LIFECYCLE = Lifecycle(
    "subscription",
    {
        ("incomplete", "activate"): "active",
        ("trialing", "activate"): "active",
        ("past_due", "activate"): "active",
        ("unpaid", "activate"): "active",
        ("incomplete", "expire"): "incomplete_expired",
        ("active", "miss"): "past_due",
        ("trialing", "miss"): "past_due",
        ("past_due", "miss"): "past_due",
        ("unpaid", "miss"): "unpaid",
        ("active", "give up on"): "unpaid",
        ("past_due", "give up on"): "unpaid",
        ("active", "start a trial of"): "trialing",
        ("past_due", "start a trial of"): "trialing",
        ("trialing", "start a trial of"): "trialing",
        ("active", "pause"): "paused",
        ("trialing", "pause"): "paused",
        ("past_due", "pause"): "paused",
        ("paused", "resume"): "active",
        ("incomplete", "cancel"): "canceled",
        ("trialing", "cancel"): "canceled",
        ("active", "cancel"): "canceled",
        ("past_due", "cancel"): "canceled",
        ("unpaid", "cancel"): "canceled",
        ("paused", "cancel"): "canceled",
    },
)
TERMINAL = frozenset({"canceled", "incomplete_expired"})
RENEWING = frozenset({"active", "past_due", "trialing", "unpaid"})
"""The states in which a period that ends makes an invoice."""

FIRST_PAYMENT_SECONDS = 23 * 3600
"""How long the first payment, or the payment of a pending update, may take."""


def first_period_end(subscription: Record) -> int:
    """The earliest end of a current period: items may have different ones."""
    return min(int(item["current_period_end"]) for item in subscription["items"]["data"])


def first_period_start(subscription: Record) -> int:
    """The earliest start of a current period."""
    return min(int(item["current_period_start"]) for item in subscription["items"]["data"])


def last_period_end(subscription: Record) -> int:
    """The latest end of a current period: where `cancel_at_period_end` ends it."""
    return max(int(item["current_period_end"]) for item in subscription["items"]["data"])


def item_amount(item: Record) -> int:
    """What one whole period of a subscription item costs, in minor units."""
    return int(item["price"]["unit_amount"]) * int(item["quantity"])


def with_items(subscription: Record, items: list[Record]) -> JsonObject:
    """The `items` field of the subscription, holding exactly these."""
    return {**subscription["items"], "data": items}


def payment_method_of(
    tx: Transaction, subscription: Record | None, customer: Record
) -> Record | None:
    """The card that pays: the subscription's, else the customer's default; None without one."""
    chosen = None if subscription is None else subscription["default_payment_method"]
    for method_id in (chosen, customer["invoice_settings"]["default_payment_method"]):
        method = tx.find("payment_method", method_id) if method_id else None
        if method is not None and method["customer"] == customer["id"]:
            return method  # one that was detached since cannot pay
    return None


def cancellation(reason: str | None = None, given: Record | None = None) -> JsonObject:
    """`cancellation_details` with a reason of Stripe's and what the customer said."""
    given = given or {}
    return {
        "comment": given.get("comment") or None,
        "feedback": given.get("feedback") or None,
        "reason": reason,
    }
