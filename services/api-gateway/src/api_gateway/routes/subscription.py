"""GET /api/billing/subscription: what the account has, and what it was billed."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request

from api_gateway.decisions.entity_access import Access
from api_gateway.handlers.accounts import AccountResolver
from api_gateway.handlers.readings import BillingReader
from api_gateway.routes.account_selection import (
    EXAMPLE_ENTITY,
    SELECTOR_PARAMETERS,
    account_of,
    entity_shape,
)
from api_gateway.routes.outcomes import (
    EXAMPLE_OPERATION_KEY,
    OF_AN_ACCOUNT,
    refusals,
    success,
)
from api_gateway.routes.wire import (
    PUBLIC_PATH,
    BillableEntityShape,
    Shape,
    WireId,
    WireTime,
)


class SubscriptionShape(Shape):
    """The current subscription."""

    id: WireId
    status: str
    plan_code: str
    plan_name: str
    current_period_start: WireTime | None
    current_period_end: WireTime | None
    trial_end: WireTime | None
    cancel_at: WireTime | None
    canceled_at: WireTime | None
    ended_at: WireTime | None
    cancel_at_period_end: bool
    operation_key: str | None
    subscribed_at: WireTime
    created_at: WireTime
    updated_at: WireTime


class ItemShape(Shape):
    """One priced line; the price is null when the catalogue does not know it."""

    id: WireId
    billing_component: str
    usage_type: str
    quantity: int | None
    is_active: bool
    currency: str | None
    unit_amount_minor: int | None
    interval: str | None
    interval_count: int | None


class InvoiceShape(Shape):
    """Amounts in minor units of `currency`."""

    id: WireId
    subscription_id: WireId | None
    status: str
    amount_due_minor: int
    amount_paid_minor: int
    amount_remaining_minor: int
    currency: str
    issued_at: WireTime | None
    due_at: WireTime | None
    paid_at: WireTime | None
    created_at: WireTime
    updated_at: WireTime


class PaymentShape(Shape):
    """Amount in minor units of `currency`."""

    id: WireId
    invoice_id: WireId
    type: str
    status: str
    amount_minor: int
    currency: str
    paid_at: WireTime | None
    created_at: WireTime
    updated_at: WireTime


class CustomerShape(Shape):
    """Whether the payment provider knows this account."""

    exists: bool


class SubscriptionAnswer(Shape):
    """The snapshot."""

    billable_entity: BillableEntityShape
    customer: CustomerShape
    subscription: SubscriptionShape | None
    items: list[ItemShape]
    invoices: list[InvoiceShape]
    payments: list[PaymentShape]


_MOMENT: Final = "2026-11-22T12:00:00.000Z"
_EMPTY: Final = {
    "billableEntity": EXAMPLE_ENTITY,
    "customer": {"exists": False},
    "subscription": None,
    "items": [],
    "invoices": [],
    "payments": [],
}
_CHANGED: Final = {"createdAt": _MOMENT, "updatedAt": _MOMENT}
_SNAPSHOT: Final = success(
    SubscriptionAnswer,
    "What is stored, as it stands.",
    {
        "none": _EMPTY,
        "active": _EMPTY
        | {
            "customer": {"exists": True},
            "subscription": {
                "id": "7",
                "status": "active",
                "planCode": "pro",
                "planName": "Pro",
                "currentPeriodStart": _MOMENT,
                "currentPeriodEnd": "2026-12-22T12:00:00.000Z",
                "trialEnd": None,
                "cancelAt": None,
                "canceledAt": None,
                "endedAt": None,
                "cancelAtPeriodEnd": False,
                "operationKey": EXAMPLE_OPERATION_KEY,
                "subscribedAt": _MOMENT,
            }
            | _CHANGED,
            "items": [
                {
                    "id": "9",
                    "billingComponent": "base",
                    "usageType": "licensed",
                    "quantity": 1,
                    "isActive": True,
                    "currency": "usd",
                    "unitAmountMinor": 4900,
                    "interval": "month",
                    "intervalCount": 1,
                }
            ],
            "invoices": [
                {
                    "id": "11",
                    "subscriptionId": "7",
                    "status": "paid",
                    "amountDueMinor": 4900,
                    "amountPaidMinor": 4900,
                    "amountRemainingMinor": 0,
                    "currency": "usd",
                    "issuedAt": _MOMENT,
                    "dueAt": None,
                    "paidAt": _MOMENT,
                }
                | _CHANGED
            ],
            "payments": [
                {
                    "id": "13",
                    "invoiceId": "11",
                    "type": "invoice_payment",
                    "status": "paid",
                    "amountMinor": 4900,
                    "currency": "usd",
                    "paidAt": _MOMENT,
                }
                | _CHANGED
            ],
        },
    },
)


def make_router(reader: BillingReader, resolver: AccountResolver) -> APIRouter:
    """The resource's routes."""
    router = APIRouter(prefix=PUBLIC_PATH)

    @router.get(
        "/subscription",
        response_model=SubscriptionAnswer,
        responses={200: _SNAPSHOT, **refusals(*OF_AN_ACCOUNT)},
        openapi_extra={"parameters": SELECTOR_PARAMETERS},
    )
    async def read_subscription(request: Request) -> SubscriptionAnswer:
        """The current subscription with its items, and the account's 25 newest invoices."""
        entity = await account_of(request, resolver, Access.READ)
        snapshot = await reader.subscription(entity.id)
        current = snapshot.subscription
        return SubscriptionAnswer(
            billable_entity=entity_shape(entity),
            customer=CustomerShape(exists=snapshot.has_customer),
            subscription=None if current is None else SubscriptionShape.model_validate(current),
            items=[ItemShape.model_validate(item) for item in snapshot.items],
            invoices=[InvoiceShape.model_validate(invoice) for invoice in snapshot.invoices],
            payments=[PaymentShape.model_validate(payment) for payment in snapshot.payments],
        )

    return router
