"""The subscription API: its operations as data, and the reading ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.subscription_cancellation import cancel
from stripe_double.resources.subscription_creation import create
from stripe_double.resources.subscription_ending import end_subscription
from stripe_double.resources.subscription_fields import PLAIN
from stripe_double.resources.subscription_states import (
    LIFECYCLE,
    TERMINAL,
    first_period_end,
    first_period_start,
    last_period_end,
)
from stripe_double.resources.subscription_updates import update
from stripe_double.wire.lists import created_within, equal_to, page, second_within

__all__ = ["LIFECYCLE", "OPERATIONS", "TERMINAL", "end_subscription", "last_period_end"]


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/subscriptions/{id}"""
    return dict(tx.get("subscription", call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/subscriptions. Without `status` the canceled ones are left out; those on a test clock
    are listed only with their clock or their customer."""
    params = call.params
    where = equal_to(params, "customer", "collection_method", "test_clock")
    if not params.keys() & {"customer", "test_clock"}:
        where["test_clock"] = None
    found = created_within(tx.newest("subscription", where=where), params)
    status = params.get("status")
    if status is None:
        found = (s for s in found if s["status"] not in TERMINAL)
    elif status == "ended":
        found = (s for s in found if s["status"] in TERMINAL)
    elif status != "all":
        found = (s for s in found if s["status"] == status)
    for name, second_of in _SECONDS.items():
        found = second_within(found, params.get(name), second_of)
    if "price" in params:
        wanted = params["price"]
        found = (s for s in found if any(i["price"]["id"] == wanted for i in s["items"]["data"]))
    return page(found, params, url="/v1/subscriptions")


_SECONDS: Mapping[str, Callable[[Record], int]] = {
    "current_period_end": first_period_end,
    "current_period_start": first_period_start,
}
_BOUNDS = ("", ".gt", ".gte", ".lt", ".lte")
_PERIODS = " ".join(f"{name}{bound}" for name in _SECONDS for bound in _BOUNDS)
_PRICE_DATA = " ".join(
    f"items[].price_data.{name}"
    for name in ("currency", "product", "unit_amount", "recurring.interval")
)
_ITEMS = (
    "items[].price items[].quantity items[].metadata.* "
    f"{_PRICE_DATA} items[].price_data.recurring.interval_count"
)
_EXTRAS = (
    "add_invoice_items[].price add_invoice_items[].quantity add_invoice_items[].metadata.* "
    "add_invoice_items[].price_data.currency add_invoice_items[].price_data.product "
    "add_invoice_items[].price_data.unit_amount"
)
_DISCOUNTS = "discounts discounts[].coupon discounts[].promotion_code"
_DETAILS = "cancellation_details.comment cancellation_details.feedback"
_NOT_FROM_PLAN = {"trial_from_plan": frozenset({False})}
OPERATIONS = (
    operation(
        "subscriptions.create",
        "POST /v1/subscriptions",
        create,
        f"customer currency billing_cycle_anchor billing_mode.type trial_period_days {PLAIN} "
        f"{_ITEMS} {_EXTRAS} {_DISCOUNTS}",
        {
            **_NOT_FROM_PLAN,
            "billing_mode.type": frozenset({"flexible"}),
            "payment_behavior": frozenset(
                {"allow_incomplete", "default_incomplete", "error_if_incomplete"}
            ),
        },
    ),
    operation(
        "subscriptions.list",
        "GET /v1/subscriptions",
        list_all,
        f"customer status price collection_method test_clock {_PERIODS}",
    ),
    operation("subscriptions.retrieve", "GET /v1/subscriptions/{id}", retrieve),
    operation(
        "subscriptions.update",
        "POST /v1/subscriptions/{id}",
        update,
        f"billing_cycle_anchor.type proration_date {PLAIN} {_ITEMS} items[].id items[].deleted "
        f"{_DISCOUNTS} discounts[].discount "
        "items[].metadata "
        f"pause_collection pause_collection.behavior pause_collection.resumes_at {_DETAILS}",
        _NOT_FROM_PLAN,
    ),
    operation(
        "subscriptions.cancel",
        "DELETE /v1/subscriptions/{id}",
        cancel,
        f"invoice_now prorate {_DETAILS}",
    ),
)
