"""Subscriptions and their items as records."""

from __future__ import annotations

from collections.abc import Sequence

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.subscription_states import cancellation
from stripe_double.wire.lists import listing

_HOLDERS = "subscription_of_item"
"""Private collection: which subscription an item was made for."""


def subscription_record(
    tx: Transaction,
    subscription_id: str,
    *,
    customer: Record,
    items: Sequence[Record],
    status: str,
    **values: object,
) -> JsonObject:
    """A new subscription, not stored yet; `values` are further fields."""
    return {
        "id": subscription_id,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": tx.now,
        "billing_cycle_anchor_config": None,
        "billing_mode": {
            "flexible": {"proration_discounts": "included"},
            "type": "flexible",
            "updated_at": None,
        },
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": cancellation(),
        "collection_method": "charge_automatically",
        "created": tx.now,
        "currency": items[0]["price"]["currency"],
        "customer": customer["id"],
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": listing(items, url=f"/v1/subscription_items?subscription={subscription_id}"),
        "latest_invoice": None,
        "livemode": False,
        "managed_payments": None,
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": ["card"],
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": tx.now,
        "status": status,
        "status_details": None,
        "test_clock": customer["test_clock"],
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {
            "end_behavior": {
                "billing_cycle_anchor": None,
                "missing_payment_method": "create_invoice",
            }
        },
        "trial_start": None,
        **values,
    }


def item_record(
    tx: Transaction,
    subscription_id: str,
    *,
    price: Record,
    quantity: int,
    period: tuple[int, int],
    metadata: Record | None = None,
) -> JsonObject:
    """A new item of a subscription; it is stored inside the subscription only."""
    start, end = period
    item_id = tx.new_id("subscription_item")
    tx.keep(_HOLDERS, {"id": item_id, "subscription": subscription_id})
    return {
        "id": item_id,
        "object": "subscription_item",
        "billed_until": None,
        "billing_thresholds": None,
        "created": tx.now,
        "current_period_end": end,
        "current_period_start": start,
        "current_trial": None,
        "discounts": [],
        "metadata": dict(metadata or {}),
        "price": price,
        "quantity": quantity,
        "subscription": subscription_id,
        "tax_rates": [],
    }


def holder_of(tx: Transaction, item_id: str) -> str | None:
    """The id of the subscription that the item was made for."""
    kept = tx.store.find(_HOLDERS, item_id)
    return None if kept is None else str(kept["subscription"])
