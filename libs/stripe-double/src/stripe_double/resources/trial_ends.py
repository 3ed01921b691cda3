"""A trial ends and nothing can pay: what was set for that, `pause` or `cancel`."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.subscription_ending import end_subscription
from stripe_double.resources.subscription_pauses import paused_status
from stripe_double.resources.subscription_states import LIFECYCLE, payment_method_of


def ending_without_method(tx: Transaction, subscription: Record) -> str | None:
    """`cancel` or `pause` when nothing can pay; None when the paid periods may begin."""
    customer = tx.store.find("customer", subscription["customer"]) or {}
    automatic = subscription["collection_method"] == "charge_automatically"
    behavior: str = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if not automatic or behavior == "create_invoice":
        return None
    return behavior if payment_method_of(tx, subscription, customer) is None else None


def end_without_method(tx: Transaction, subscription: Record) -> JsonObject | None:
    """The subscription canceled or paused; None when its first paid period is to be billed."""
    behavior = ending_without_method(tx, subscription)
    if behavior is None:
        return None
    if behavior == "cancel":
        return end_subscription(tx, subscription, reason="cancellation_requested")
    after = tx.put(
        {
            **subscription,
            "status": LIFECYCLE.next(subscription["status"], "pause"),
            "status_details": paused_status(tx, "trial_end_without_payment_method"),
            "trial_end": min(subscription["trial_end"], tx.now),
        }
    )
    tx.emit("customer.subscription.paused", after)
    return after
