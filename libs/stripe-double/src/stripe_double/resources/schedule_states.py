"""The states of a subscription schedule, its record, and how it follows its subscription's end."""

from __future__ import annotations

from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction

LIFECYCLE = Lifecycle(
    "subscription schedule",
    {
        ("not_started", "start"): "active",
        ("not_started", "cancel"): "canceled",
        ("not_started", "release"): "released",
        ("active", "cancel"): "canceled",
        ("active", "complete"): "completed",
        ("active", "release"): "released",
    },
)
RUNNING = frozenset({"not_started", "active"})


def schedule_record(
    tx: Transaction, *, customer: Record, phases: list[JsonObject], **values: object
) -> JsonObject:
    """A new schedule, not stored yet; `values` are further fields."""
    return {
        "id": tx.new_id("subscription_schedule"),
        "object": "subscription_schedule",
        "application": None,
        "billing_mode": {
            "flexible": {"proration_discounts": "included"},
            "type": "flexible",
            "updated_at": None,
        },
        "canceled_at": None,
        "completed_at": None,
        "created": tx.now,
        "current_phase": None,
        "customer": customer["id"],
        "customer_account": None,
        "default_settings": default_settings({}, None),
        "end_behavior": "release",
        "livemode": False,
        "metadata": {},
        "pause_schedules": [],
        "phases": phases,
        "released_at": None,
        "released_subscription": None,
        "status": "not_started",
        "subscription": None,
        "test_clock": customer["test_clock"],
        **values,
    }


def default_settings(given: Record, before: Record | None) -> JsonObject:
    """`default_settings` as given, else as before, else Stripe's defaults."""
    kept = before or {}
    return {
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": "automatic",
        "billing_thresholds": None,
        "collection_method": given.get("collection_method")
        or kept.get("collection_method")
        or "charge_automatically",
        "default_payment_method": given.get("default_payment_method")
        or kept.get("default_payment_method"),
        "description": given.get("description") or kept.get("description"),
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "days_until_due": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "on_behalf_of": None,
        "transfer_data": None,
    }


def phase_index(schedule: Record) -> int:
    """The position of the phase that runs now."""
    start = schedule["current_phase"]["start_date"]
    for index, phase in enumerate(schedule["phases"]):
        if phase["start_date"] == start:
            return index
    message = "the running phase is one of the phases"
    raise RuntimeError(message)


def running_phase(phase: Record) -> JsonObject:
    """`current_phase` while this phase runs."""
    return {"end_date": phase["end_date"], "start_date": phase["start_date"]}


def end_with_subscription(tx: Transaction, subscription: Record, *, reason: str) -> None:
    """The subscription ended: a schedule that still ran is canceled, aborted for unpaid bills."""
    schedule = tx.find("subscription_schedule", subscription["schedule"] or "")
    if schedule is None or schedule["status"] not in RUNNING:
        return
    after = tx.put(
        {
            **schedule,
            "canceled_at": tx.now,
            "current_phase": None,
            "status": LIFECYCLE.next(schedule["status"], "cancel"),
        }
    )
    aborted = reason == "payment_failed"
    tx.emit(f"subscription_schedule.{'aborted' if aborted else 'canceled'}", after)
