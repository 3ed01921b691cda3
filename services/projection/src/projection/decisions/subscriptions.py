"""Folding customer.subscription.*: mirror the newest snapshot, never leave a terminal state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from billing_common.domain.canonical_subscription import select_canonical
from billing_common.domain.catalogue import PlanPrice
from billing_common.domain.ordering import Order, Watermark, advance, compare
from billing_common.domain.provider_objects import ProviderSubscription
from billing_common.domain.subscription import TERMINAL, Subscription
from projection.decisions.event import (
    Applied,
    Family,
    Ignored,
    IgnoreReason,
    NeedsTruth,
    ObjectRef,
    Outcome,
    RefusalCode,
    Refused,
    StripeEvent,
)
from projection.decisions.state import Change, EntityState


def fold_subscription(
    state: EntityState,
    event: StripeEvent,
    source: ProviderSubscription,
    *,
    truth: ProviderSubscription | None,
    prices: Mapping[str, PlanPrice],
) -> Outcome:
    """Total. `truth`, when given, was fetched after the tie was seen and wins over the payload."""
    stored = state.subscriptions.get(source.id)
    mark = event.watermark
    if stored is not None:
        order = compare(stored.watermark, mark)
        if order is Order.OLDER:
            return Ignored(IgnoreReason.OLDER)
        if order is Order.SAME_EVENT:
            return Ignored(IgnoreReason.ALREADY_FOLDED)
        if order is Order.TIE:
            if truth is None:
                return NeedsTruth(ObjectRef(Family.SUBSCRIPTION, source.id))
            source = truth
        mark = advance(stored.watermark, mark)
        if stored.status in TERMINAL and source.status not in TERMINAL:
            # Stripe never revives a subscription: this snapshot is from before it ended.
            return Ignored(IgnoreReason.TERMINAL)
    plan_id = _plan_of(source, prices)
    if plan_id is None:
        return Refused(RefusalCode.PRICE_UNKNOWN, "no item has a price of our catalogue")
    row = _row(state, source, plan_id=plan_id, stored=stored, mark=mark)
    moved = state.with_subscription(row, source.items)
    moved = with_canonical_current(moved)
    change = "created" if stored is None else _change_word(stored, row)
    return Applied(
        moved.with_change(
            Change("subscription", source.id, change, row.operation_key, event.event_id)
        )
    )


def with_canonical_current(state: EntityState) -> EntityState:
    """Exactly the canonical subscription carries the flag; computed over all rows, every time."""
    canonical = select_canonical(state.subscriptions.values())
    flagged = {
        key: replace(row, is_current=canonical is not None and key == _id(canonical))
        for key, row in state.subscriptions.items()
    }
    return replace(state, subscriptions=flagged)


def _id(row: Subscription) -> str:
    return row.provider_subscription_id


def _plan_of(source: ProviderSubscription, prices: Mapping[str, PlanPrice]) -> int | None:
    """The plan of the base price; a plan switched in the portal simply names another plan."""
    known = [
        prices[item.provider_price_id] for item in source.items if item.provider_price_id in prices
    ]
    base = [price for price in known if price.billing_component == "base"]
    return (base or known)[0].plan_id if known else None


def _row(
    state: EntityState,
    source: ProviderSubscription,
    *,
    plan_id: int,
    stored: Subscription | None,
    mark: Watermark,
) -> Subscription:
    ends = [item.current_period_end for item in source.items]
    starts = [item.current_period_start for item in source.items]
    return Subscription(
        id=stored.id if stored else None,
        billable_entity_id=state.billable_entity_id,
        billing_customer_id=state.billing_customer_id,
        plan_id=plan_id,
        provider="stripe",
        provider_subscription_id=source.id,
        status=source.status,
        # Written once: canonical selection must not move with a later snapshot.
        provider_subscription_created_at=(
            stored.provider_subscription_created_at if stored else source.created_at
        ),
        current_period_start=min(starts),
        current_period_end=max(ends),
        trial_end=source.trial_end,
        cancel_at=source.cancel_at,
        canceled_at=source.canceled_at,
        ended_at=source.ended_at,
        cancel_at_period_end=source.cancel_at_period_end,
        is_current=stored.is_current if stored else False,
        operation_key=source.operation_key or (stored.operation_key if stored else None),
        watermark=mark,
        row_version=stored.row_version if stored else 0,
    )


def _change_word(before: Subscription, after: Subscription) -> str:
    return after.status.value if before.status is not after.status else "updated"
