"""Discounts that a subscription has: given when it begins, replaced, removed."""

from __future__ import annotations

from collections.abc import Sequence

from stripe_double.engine.errors import not_modelled, resource_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.discounts import Choice, chosen, coupons_of, give, take_back
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.subscription_changes import Plan
from stripe_double.resources.subscription_states import item_amount


def given_to(
    tx: Transaction,
    subscription: Record,
    choices: Sequence[Choice],
    *,
    session: str | None = None,
) -> list[str]:
    """The ids of new discounts on this subscription, in order."""
    return [
        give(
            tx,
            choice,
            customer=subscription["customer"],
            subscription=subscription["id"],
            session=session,
        )["id"]
        for choice in choices
    ]


def replaced(tx: Transaction, subscription: Record, given: Sequence[Record] | str) -> JsonObject:
    """The subscription with exactly these discounts; those that are named by id stay.

    The update that follows announces the change.
    """
    listed = [] if isinstance(given, str) else list(given)
    kept = {entry["discount"] for entry in listed if entry.get("discount")}
    unknown = kept - set(subscription["discounts"])
    if unknown:
        raise resource_missing("discount", min(unknown), param="discounts", status=400)
    fresh = chosen(
        tx,
        [entry for entry in listed if not entry.get("discount")],
        customer=subscription["customer"],
        amount=sum(item_amount(item) for item in subscription["items"]["data"]),
        currency=subscription["currency"],
    )
    _take_all_back(tx, subscription, but=kept)
    stay = [one for one in subscription["discounts"] if one in kept]
    return {**subscription, "discounts": [*stay, *given_to(tx, subscription, fresh)]}


def check_prorations(tx: Transaction, subscription: Record, plan: Plan | None) -> None:
    """ApiError 501: what a discounted subscription owes for the rest of a period."""
    owes = plan is not None and any(one.amount_minor > 0 for one in plan.prorations)
    if owes and coupons_of(tx, subscription, at=tx.now):
        raise not_modelled(
            "prorations that a discounted subscription owes; pass proration_behavior=none",
            param="proration_behavior",
        )


def delete(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v1/subscriptions/{id}/discount: all of them"""
    subscription = tx.get("subscription", call.object_id)
    stand_at(tx, subscription)
    if not subscription["discounts"]:
        raise resource_missing("discount", call.object_id)
    last = tx.get("discount", subscription["discounts"][-1])
    _take_all_back(tx, subscription, but=set())
    tx.change(subscription, "customer.subscription.updated", discounts=[])
    return {**last, "deleted": True}


def _take_all_back(tx: Transaction, subscription: Record, *, but: set[str]) -> None:
    for discount_id in subscription["discounts"]:
        discount = tx.find("discount", discount_id)
        if discount is not None and discount_id not in but:
            take_back(tx, discount)


OPERATIONS = (
    operation("subscriptions.delete_discount", "DELETE /v1/subscriptions/{id}/discount", delete),
)
