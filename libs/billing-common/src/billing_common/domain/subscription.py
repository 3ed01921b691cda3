"""Stripe's subscription, mirrored. The table is observational: Stripe is the authority.

A newer state that the table does not expect is applied and counted, never refused; only the two
terminal states are final, because Stripe itself never leaves them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from billing_common.domain.ordering import Watermark


class SubscriptionStatus(StrEnum):
    """Stripe's eight words."""

    INCOMPLETE = "incomplete"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    UNPAID = "unpaid"
    CANCELED = "canceled"
    INCOMPLETE_EXPIRED = "incomplete_expired"


TERMINAL: Final = frozenset({SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED})
CURRENT_CAPABLE: Final = frozenset(set(SubscriptionStatus) - TERMINAL)
# Statuses in which the customer may use what the plan grants.
ENTITLING: Final = frozenset(
    {
        SubscriptionStatus.TRIALING,
        SubscriptionStatus.ACTIVE,
        SubscriptionStatus.PAST_DUE,
    }
)
_S = SubscriptionStatus
EXPECTED: Final[dict[SubscriptionStatus, frozenset[SubscriptionStatus]]] = {
    _S.INCOMPLETE: frozenset({_S.ACTIVE, _S.TRIALING, _S.INCOMPLETE_EXPIRED, _S.CANCELED}),
    _S.TRIALING: frozenset({_S.ACTIVE, _S.PAST_DUE, _S.PAUSED, _S.CANCELED, _S.UNPAID}),
    _S.ACTIVE: frozenset({_S.PAST_DUE, _S.PAUSED, _S.CANCELED, _S.UNPAID, _S.TRIALING}),
    _S.PAST_DUE: frozenset({_S.ACTIVE, _S.UNPAID, _S.CANCELED, _S.PAUSED}),
    _S.PAUSED: frozenset({_S.ACTIVE, _S.TRIALING, _S.PAST_DUE, _S.CANCELED}),
    _S.UNPAID: frozenset({_S.ACTIVE, _S.CANCELED, _S.PAST_DUE}),
    _S.CANCELED: frozenset(),
    _S.INCOMPLETE_EXPIRED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionItem:
    """One priced line of a subscription."""

    provider_subscription_item_id: str
    provider_price_id: str
    quantity: int | None
    current_period_start: datetime
    current_period_end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One row of billing_subscriptions. `id` is None until it is stored."""

    id: int | None
    billable_entity_id: int
    billing_customer_id: int
    plan_id: int
    provider: str
    provider_subscription_id: str
    status: SubscriptionStatus
    provider_subscription_created_at: datetime
    current_period_start: datetime | None
    current_period_end: datetime | None
    trial_end: datetime | None
    cancel_at: datetime | None
    canceled_at: datetime | None
    ended_at: datetime | None
    cancel_at_period_end: bool
    is_current: bool
    operation_key: str | None
    watermark: Watermark | None
    row_version: int
