"""The setup intent of a subscription that asks nothing yet: how a card comes for later."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.subscription_states import TERMINAL

_WAITING = "subscription_of_setup_intent"
"""Private collection: which subscription waits for a setup intent, by the intent's id."""


def await_setup(tx: Transaction, intent: Record, subscription_id: str) -> None:
    """The subscription waits for this setup intent."""
    tx.keep(_WAITING, {"id": intent["id"], "subscription": subscription_id})


def follow(tx: Transaction, intent: Record) -> None:
    """A setup intent succeeded: a subscription that waited for it waits no more, and takes its
    payment method when it was told to save one."""
    kept = tx.store.find(_WAITING, intent["id"])
    subscription = None if kept is None else tx.find("subscription", kept["subscription"])
    if subscription is None or subscription["status"] in TERMINAL:
        return
    values: JsonObject = {"pending_setup_intent": None}
    if subscription["payment_settings"]["save_default_payment_method"] == "on_subscription":
        values["default_payment_method"] = intent["payment_method"]
    tx.change(subscription, "customer.subscription.updated", **values)
