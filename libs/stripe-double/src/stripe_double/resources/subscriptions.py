"""Subscriptions: retrieve, list, cancel now or at period end, and their states."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, resource_missing
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.periods import period_end
from stripe_double.wire.lists import created_within, equal_to, listing, page

LIFECYCLE = Lifecycle(
    "subscription",
    {
        ("incomplete", "activate"): "active",
        ("trialing", "activate"): "active",
        ("past_due", "activate"): "active",
        ("active", "miss"): "past_due",
        ("past_due", "miss"): "past_due",
        ("incomplete", "cancel"): "canceled",
        ("trialing", "cancel"): "canceled",
        ("active", "cancel"): "canceled",
        ("past_due", "cancel"): "canceled",
    },
)
TERMINAL = frozenset({"canceled", "incomplete_expired"})


def new_subscription(
    tx: Transaction, *, customer: Record, method: Record, items: list[Record], data: Record
) -> JsonObject:
    """Create a subscription as Checkout does. `items` are session line items, `data` is
    `subscription_data`. The caller announces it, once it has its first invoice."""
    subscription_id = tx.new_id("subscription")
    trial_days = data.get("trial_period_days") or 0
    trial_end = tx.now + trial_days * 86_400 if trial_days else None
    born = "trialing" if trial_days else tx.options.subscription_starts_as
    subscription_items = [
        _new_item(tx, subscription_id, line, trial_end=trial_end) for line in items
    ]
    return tx.put(
        {
            "id": subscription_id,
            "object": "subscription",
            "application": None,
            "application_fee_percent": None,
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
            "billing_cycle_anchor": trial_end or tx.now,
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
            "cancellation_details": _cancellation(),
            "collection_method": "charge_automatically",
            "created": tx.now,
            "currency": items[0]["currency"],
            "customer": customer["id"],
            "customer_account": None,
            "days_until_due": None,
            "default_payment_method": method["id"],
            "default_source": None,
            "default_tax_rates": [],
            "description": data.get("description") or None,
            "discounts": [],
            "ended_at": None,
            "invoice_settings": {
                "account_tax_ids": None,
                "custom_fields": None,
                "description": None,
                "footer": None,
                "issuer": {"type": "self"},
            },
            "items": listing(
                subscription_items, url=f"/v1/subscription_items?subscription={subscription_id}"
            ),
            "latest_invoice": None,
            "livemode": False,
            "managed_payments": None,
            "metadata": metadata.given(dict(data)),
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
            "status": born,
            "status_details": None,
            "test_clock": None,
            "transfer_data": None,
            "trial_end": trial_end,
            "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
            "trial_start": tx.now if trial_end else None,
        }
    )


def _new_item(
    tx: Transaction, subscription_id: str, line: Record, *, trial_end: int | None
) -> JsonObject:
    price = line["price"]
    return {
        "id": tx.new_id("subscription_item"),
        "object": "subscription_item",
        "billed_until": None,
        "billing_thresholds": None,
        "created": tx.now,
        "current_period_end": trial_end or period_end(tx.now, price["recurring"], anchor=tx.now),
        "current_period_start": tx.now,
        "current_trial": None,
        "discounts": [],
        "metadata": {},
        "price": price,
        "quantity": line["quantity"],
        "subscription": subscription_id,
        "tax_rates": [],
    }


def _cancellation(reason: str | None = None, given: Record | None = None) -> JsonObject:
    given = given or {}
    return {
        "comment": given.get("comment") or None,
        "feedback": given.get("feedback") or None,
        "reason": reason,
    }


def first_period_end(subscription: Record) -> int:
    """The earliest end of a current period: items may have different ones."""
    return min(int(item["current_period_end"]) for item in subscription["items"]["data"])


def last_period_end(subscription: Record) -> int:
    """The latest end of a current period: where `cancel_at_period_end` ends it."""
    return max(int(item["current_period_end"]) for item in subscription["items"]["data"])


def end_subscription(
    tx: Transaction, subscription: Record, *, reason: str, given: Record | None = None
) -> JsonObject:
    """Cancel now and announce `customer.subscription.deleted`."""
    details = _cancellation(reason, given or subscription["cancellation_details"])
    after = tx.put(
        {
            **subscription,
            "status": LIFECYCLE.next(subscription["status"], "cancel"),
            "canceled_at": subscription["canceled_at"] or tx.now,
            "cancellation_details": details,
            "ended_at": tx.now,
        }
    )
    tx.emit("customer.subscription.deleted", after)
    return after


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/subscriptions/{id}"""
    return dict(tx.get("subscription", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/subscriptions/{id}"""
    before, params = tx.get("subscription", call.object_id), call.params
    if before["status"] in TERMINAL:
        raise invalid_request(
            "A canceled subscription can only update its cancellation_details and metadata."
        )
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if "description" in params:
        values["description"] = params["description"] or None
    if "default_payment_method" in params:
        method = tx.get(
            "payment_method", params["default_payment_method"], param="default_payment_method"
        )
        values["default_payment_method"] = method["id"]
    details = params.get("cancellation_details")
    if details is not None:
        reason = before["cancellation_details"]["reason"]
        values["cancellation_details"] = _cancellation(reason, details)
    wanted = params.get("cancel_at_period_end")
    if wanted is not None and wanted != before["cancel_at_period_end"]:
        values |= _scheduled_end(tx, before, wanted=wanted, given=details)
    return tx.change(before, "customer.subscription.updated", **values)


def _scheduled_end(
    tx: Transaction, before: Record, *, wanted: bool, given: Record | None
) -> JsonObject:
    return {
        "cancel_at_period_end": wanted,
        "cancel_at": last_period_end(before) if wanted else None,
        "canceled_at": tx.now if wanted else None,
        "cancellation_details": _cancellation("cancellation_requested" if wanted else None, given),
    }


def cancel(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v1/subscriptions/{id}. One that already ended is missing, as at Stripe."""
    subscription = tx.get("subscription", call.object_id)
    if subscription["status"] in TERMINAL:
        raise resource_missing("subscription", call.object_id)
    given = call.params.get("cancellation_details")
    return end_subscription(tx, subscription, reason="cancellation_requested", given=given)


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/subscriptions. Without `status` the canceled ones are left out."""
    params = call.params
    where = equal_to(params, "customer", "collection_method")
    found = created_within(tx.newest("subscription", where=where), params)
    status = params.get("status")
    if status is None:
        found = (s for s in found if s["status"] not in TERMINAL)
    elif status == "ended":
        found = (s for s in found if s["status"] in TERMINAL)
    elif status != "all":
        found = (s for s in found if s["status"] == status)
    if "price" in params:
        wanted = params["price"]
        found = (s for s in found if any(i["price"]["id"] == wanted for i in s["items"]["data"]))
    return page(found, params, url="/v1/subscriptions")


_DETAILS = "cancellation_details.comment cancellation_details.feedback"
_NO = frozenset({False})
OPERATIONS = (
    operation(
        "subscriptions.list",
        "GET /v1/subscriptions",
        list_all,
        "customer status price collection_method",
    ),
    operation("subscriptions.retrieve", "GET /v1/subscriptions/{id}", retrieve),
    operation(
        "subscriptions.update",
        "POST /v1/subscriptions/{id}",
        update,
        f"metadata metadata.* description default_payment_method cancel_at_period_end {_DETAILS}",
    ),
    operation(
        "subscriptions.cancel",
        "DELETE /v1/subscriptions/{id}",
        cancel,
        f"invoice_now prorate {_DETAILS}",
        {"invoice_now": _NO, "prorate": _NO},
    ),
)
