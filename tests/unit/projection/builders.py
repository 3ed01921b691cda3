"""Events and states for projection's core, with everything that a test does not mention."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

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
from projection.decisions.event import (
    Applied,
    Family,
    NeedsTruth,
    ObjectRef,
    Outcome,
    StripeEvent,
    Truth,
)
from projection.decisions.fold import fold
from projection.decisions.state import EntityState

T0: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
CUSTOMER: Final = "cus_1"
KEY: Final = "k" * 64
PRICES: Final = {"price_1": PlanPrice(1, 1, "base", "licensed")}
_OPERATION: Final = Operation(
    id=1,
    billable_entity_id=1,
    action=Action.CHECKOUT,
    flow="subscription",
    client_idempotency_key="click",
    request_fingerprint_hash="f" * 64,
    operation_key=KEY,
    provider="stripe",
    provider_idempotency_key="p" * 64,
    status=OperationStatus.PENDING,
    lease_version=1,
    lease_owner="worker",
    lease_expires_at=T0,
    recovery_attempt_count=0,
    frozen=None,
    provider_session_id=None,
    response_status=None,
    response_body=None,
    failure_code=None,
    created_at=T0,
)


def at(seconds: int) -> datetime:
    return T0 + timedelta(seconds=seconds)


def entity(**changes: Any) -> EntityState:
    state = EntityState(billable_entity_id=1, billing_customer_id=1, provider_customer_id=CUSTOMER)
    return replace(state, operations={KEY: _OPERATION}, **changes)


def subscription(status: str = "active", **changes: Any) -> ProviderSubscription:
    item = SubscriptionItem(
        provider_subscription_item_id="si_1",
        provider_price_id="price_1",
        quantity=1,
        current_period_start=T0,
        current_period_end=T0 + timedelta(days=30),
    )
    source = ProviderSubscription(
        id="sub_1",
        status=SubscriptionStatus(status),
        customer_id=CUSTOMER,
        created_at=T0,
        cancel_at_period_end=False,
        cancel_at=None,
        canceled_at=None,
        ended_at=None,
        trial_end=None,
        items=(item,),
        operation_key=KEY,
        billable_entity_id=1,
    )
    return replace(source, **changes)


def invoice(status: str = "paid", **changes: Any) -> ProviderInvoice:
    source = ProviderInvoice(
        id="in_1",
        status=status,
        customer_id=CUSTOMER,
        subscription_id="sub_1",
        currency="usd",
        amount_due_minor=1900,
        amount_paid_minor=1900 if status == "paid" else 0,
        amount_remaining_minor=0 if status == "paid" else 1900,
        attempt_count=1,
        created_at=T0,
        due_at=None,
        paid_at=None,
        operation_key=None,
        billable_entity_id=1,
    )
    return replace(source, **changes)


def session(status: str = "complete", **changes: Any) -> ProviderSession:
    source = ProviderSession(
        id="cs_1",
        status=ProviderSessionStatus(status),
        payment_status="paid" if status == "complete" else "unpaid",
        mode="subscription",
        url=None,
        created_at=T0,
        expires_at=T0 + timedelta(hours=1),
        customer_id=CUSTOMER,
        subscription_id="sub_1" if status == "complete" else None,
        operation_key=KEY,
        billable_entity_id=1,
    )
    return replace(source, **changes)


def event(source: ProviderObject, seconds: int = 0, event_id: str = "evt_a") -> StripeEvent:
    match source:
        case ProviderSubscription():
            event_type = "customer.subscription.updated"
        case ProviderInvoice():
            event_type = "invoice.paid" if source.status == "paid" else "invoice.payment_failed"
        case ProviderSession():
            event_type = "checkout.session.completed"
    return StripeEvent(event_id=event_id, type=event_type, created_at=at(seconds), object=source)


def folded(
    state: EntityState | None, one: StripeEvent, *truths: ProviderSubscription | ProviderInvoice
) -> Outcome:
    """One event; `truths`: what has been fetched."""
    known = {
        ObjectRef(
            Family.SUBSCRIPTION if isinstance(found, ProviderSubscription) else Family.INVOICE,
            found.id,
        ): Truth(found, 0)
        for found in truths
    }
    return fold(state, one, truths=known, prices=PRICES)


def after(state: EntityState, *events: StripeEvent, world: tuple[Any, ...] = ()) -> EntityState:
    """The state after these events; a doubt is answered by `world`, the objects as they are."""
    for one in events:
        outcome = folded(state, one)
        if isinstance(outcome, NeedsTruth):
            outcome = folded(state, one, *world)
        if isinstance(outcome, Applied):
            state = outcome.state
    return state
