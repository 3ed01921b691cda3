"""GET /api/billing/plans: what can be bought."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter

from api_gateway.handlers.readings import BillingReader, PlanOffer
from api_gateway.routes.outcomes import refusals, success
from api_gateway.routes.wire import PUBLIC_PATH, Shape, WireId


class CorePrice(Shape):
    """Amount in minor units of `currency`, per interval."""

    interval: str
    interval_count: int
    currency: str
    unit_amount_minor: int


class EntitlementShape(Shape):
    """One thing the plan grants."""

    code: str
    schema_version: str
    value: dict[str, Any]


class PlanShape(Shape):
    """A plan on sale. The provider's ids stay inside."""

    id: WireId
    code: str
    version: int
    name: str
    description: str | None
    applies_to: str
    core_price: CorePrice
    entitlements: list[EntitlementShape]


class Plans(Shape):
    """The whole answer."""

    plans: list[PlanShape]


_ON_SALE: Final = success(
    Plans,
    "Plans that can be bought now.",
    {
        "one": {
            "plans": [
                {
                    "id": "3",
                    "code": "pro",
                    "version": 1,
                    "name": "Pro",
                    "description": None,
                    "appliesTo": "workspace",
                    "corePrice": {
                        "interval": "month",
                        "intervalCount": 1,
                        "currency": "usd",
                        "unitAmountMinor": 4900,
                    },
                    "entitlements": [
                        {
                            "code": "seats",
                            "schemaVersion": "entitlement.quota.v1",
                            "value": {"limit": 5},
                        }
                    ],
                }
            ]
        },
        "none": {"plans": []},
    },
)


def make_router(reader: BillingReader) -> APIRouter:
    """The resource's routes."""
    router = APIRouter(prefix=PUBLIC_PATH)

    @router.get("/plans", response_model=Plans, responses={200: _ON_SALE, **refusals()})
    async def list_plans() -> Plans:
        """Plans that can be bought now."""
        return Plans(plans=[_shape(offer) for offer in await reader.plans()])

    return router


def _shape(offer: PlanOffer) -> PlanShape:
    plan = offer.plan
    return PlanShape(
        id=plan.id,
        code=plan.code,
        version=plan.version,
        name=plan.name,
        description=plan.description,
        applies_to=plan.applies_to,
        core_price=CorePrice(
            interval=plan.interval,
            interval_count=plan.interval_count,
            currency=plan.currency,
            unit_amount_minor=plan.unit_amount_minor,
        ),
        entitlements=[
            EntitlementShape(
                code=entry.code, schema_version=entry.schema_version, value=entry.value
            )
            for entry in offer.entitlements
        ],
    )
