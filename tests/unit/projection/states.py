"""Small values to fold: one entity, one catalogue, events of each family."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from billing_common.domain.catalogue import PlanPrice
from billing_common.domain.idempotency import Action, Operation, OperationStatus
from billing_common.domain.provider_objects import (
    ProviderInvoice,
    ProviderObject,
    ProviderSession,
    ProviderSessionStatus,
    ProviderSubscription,
)
from billing_common.domain.subscription import SubscriptionItem, SubscriptionStatus
from projection.decisions.event import Applied, Outcome, StripeEvent
from projection.decisions.fold import fold
from projection.decisions.state import EntityState

T0: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY: Final = "o" * 64
PRICES: Final = {
    "price_starter": PlanPrice(1, 1, "base", "licensed"),
    "price_pro": PlanPrice(2, 2, "base", "licensed"),
}

OPERATION: Final = Operation(
    id=1,
    billable_entity_id=42,
    action=Action.CHECKOUT,
    flow="subscription",
    client_idempotency_key="k",
    request_fingerprint_hash="f",
    operation_key=KEY,
    provider="stripe",
    provider_idempotency_key="p",
    status=OperationStatus.PENDING,
    lease_version=1,
    lease_owner="w",
    lease_expires_at=T0 + timedelta(minutes=1),
    recovery_attempt_count=0,
    frozen=None,
    provider_session_id=None,
    response_status=None,
    response_body=None,
    failure_code=None,
    created_at=T0,
)
ENTITY: Final = EntityState(
    billable_entity_id=42,
    billing_customer_id=7,
    provider_customer_id="cus_1",
    operations={KEY: OPERATION},
)

SESSION: Final = ProviderSession(
    id="cs_1",
    status=ProviderSessionStatus.COMPLETE,
    payment_status="paid",
    mode="subscription",
    url=None,
    created_at=T0,
    expires_at=T0 + timedelta(hours=1),
    customer_id="cus_1",
    subscription_id="sub_1",
    operation_key=KEY,
    billable_entity_id=42,
)
INVOICE: Final = ProviderInvoice(
    id="in_1",
    status="paid",
    customer_id="cus_1",
    subscription_id="sub_1",
    currency="usd",
    amount_due_minor=1900,
    amount_paid_minor=1900,
    amount_remaining_minor=0,
    attempt_count=1,
    created_at=T0,
    due_at=None,
    paid_at=T0,
    operation_key=KEY,
    billable_entity_id=42,
)


def subscription(
    status: SubscriptionStatus = SubscriptionStatus.ACTIVE, *, price: str = "price_starter"
) -> ProviderSubscription:
    """The entity's subscription as the provider tells it."""
    return ProviderSubscription(
        id="sub_1",
        status=status,
        customer_id="cus_1",
        created_at=T0,
        cancel_at_period_end=False,
        cancel_at=None,
        canceled_at=None,
        ended_at=None,
        trial_end=None,
        items=(
            SubscriptionItem(
                provider_subscription_item_id="si_1",
                provider_price_id=price,
                quantity=1,
                current_period_start=T0,
                current_period_end=T0 + timedelta(days=30),
            ),
        ),
        operation_key=KEY,
        billable_entity_id=42,
    )


def event(type_: str, source: ProviderObject, *, seconds: int = 0) -> StripeEvent:
    """`source` as it was `seconds` after T0."""
    return StripeEvent(
        event_id=f"evt_{type_}_{seconds}",
        type=type_,
        created_at=T0 + timedelta(seconds=seconds),
        object=source,
    )


def outcome_of(state: EntityState, told: StripeEvent) -> Outcome:
    """Fold without any fetched truth."""
    return fold(state, told, truths={}, prices=PRICES)


def after(state: EntityState, told: StripeEvent) -> EntityState:
    """The state after an event that must be applied; its changes are left out."""
    outcome = outcome_of(state, told)
    assert isinstance(outcome, Applied), outcome
    return replace(outcome.state, changes=())
