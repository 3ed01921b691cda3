"""Discounts that a subscription has: given when it begins, replaced, removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stripe_double.engine.errors import not_modelled, resource_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.discounting import Portion, discounted
from stripe_double.resources.discounts import Choice, chosen, coupons_of, give, take_back
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.subscription_changes import Plan, Proration
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


def lowered(tx: Transaction, subscription: Record, plan: Plan) -> Plan:
    """What the rest of a period costs, lowered by the subscription's percentages.

    Credits are lowered already: they give back from what was asked. A fixed amount off the rest of
    a period: ApiError 501.
    """
    coupons = coupons_of(tx, subscription, at=tx.now)
    if not coupons or not any(one.amount_minor > 0 for one in plan.prorations):
        return plan
    if any(coupon["percent_off"] is None for coupon in coupons):
        raise not_modelled(
            "prorations under a coupon of a fixed amount; pass proration_behavior=none",
            param="proration_behavior",
        )
    prorations = [
        replace(one, amount_minor=one.amount_minor - _off(one, coupons)) for one in plan.prorations
    ]
    return replace(plan, prorations=prorations)


def _off(proration: Proration, coupons: Sequence[Record]) -> int:
    portion = Portion(proration.amount_minor, proration.item["price"]["product"])
    return sum(discounted([portion], coupons)[0])


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
