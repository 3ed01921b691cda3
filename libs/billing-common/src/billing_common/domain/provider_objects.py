"""The provider's objects as Holdfast sees them: translated once at the door, free of its SDK.

All times are aware UTC, all amounts integer minor units, all ids exactly as the provider wrote
them. A value here is a snapshot of one moment, never "the current state".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing_common.domain.subscription import SubscriptionItem, SubscriptionStatus


class ProviderSessionStatus(StrEnum):
    """Stripe's three words for a Checkout Session."""

    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSession:
    """A checkout session at the provider. `url` is None unless it can be paid."""

    id: str
    status: ProviderSessionStatus
    payment_status: str
    mode: str
    url: str | None
    created_at: datetime
    expires_at: datetime
    customer_id: str | None
    subscription_id: str | None
    operation_key: str | None
    billable_entity_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSubscription:
    """A subscription at the provider. Metadata is a claim, to be checked, never trusted."""

    id: str
    status: SubscriptionStatus
    customer_id: str
    created_at: datetime
    cancel_at_period_end: bool
    cancel_at: datetime | None
    canceled_at: datetime | None
    ended_at: datetime | None
    trial_end: datetime | None
    items: tuple[SubscriptionItem, ...]
    operation_key: str | None
    billable_entity_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInvoice:
    """An invoice at the provider. `status` is Stripe's word (draft, open, paid, ...)."""

    id: str
    status: str
    customer_id: str
    subscription_id: str | None
    currency: str
    amount_due_minor: int
    amount_paid_minor: int
    amount_remaining_minor: int
    attempt_count: int
    created_at: datetime
    due_at: datetime | None
    paid_at: datetime | None
    operation_key: str | None
    billable_entity_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCustomer:
    """A customer at the provider."""

    id: str
    billable_entity_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPortalSession:
    """A visit to the provider's portal. `url` works for minutes, for whoever has it."""

    id: str
    url: str
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPaymentLink:
    """A payment link at the provider. `url` can be paid at while it is active."""

    id: str
    url: str
    is_active: bool
    operation_key: str | None
    billable_entity_id: int | None


ProviderObject = ProviderSession | ProviderSubscription | ProviderInvoice


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a frozen request was built for. Replay needs the same API version and SDK major."""

    provider: str
    sdk_name: str
    sdk_version: str
    api_version: str
