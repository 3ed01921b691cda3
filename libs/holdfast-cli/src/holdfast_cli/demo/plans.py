"""The demo shop's plans: what Stripe sells, and what Holdfast grants for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from billing_common.domain.entitlements import PlanEntitlement
from billing_common.storage.catalogue import publish_plan
from billing_common.storage.engine import make_engine
from billing_common.storage.transaction import Database, WriteConnection
from holdfast_cli.demo.stripe_shop import Price, StripeShop


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """One plan; amounts in minor units of the stack's currency, per month."""

    code: str
    name: str
    description: str
    unit_amount_minor: int
    entitlements: tuple[PlanEntitlement, ...]


def _quota(code: str, limit: int) -> PlanEntitlement:
    return PlanEntitlement(
        code=code,
        schema_version="entitlement.quota.v1",
        value={"limit": limit, "interval": "month", "enforcement": "hard"},
    )


def _switch(code: str, *, enabled: bool) -> PlanEntitlement:
    return PlanEntitlement(
        code=code, schema_version="entitlement.boolean.v1", value={"enabled": enabled}
    )


PLANS: Final = (
    DemoPlan(
        code="starter",
        name="Starter",
        description="For one team.",
        unit_amount_minor=1900,
        entitlements=(_quota("projects", 5), _switch("priority_support", enabled=False)),
    ),
    DemoPlan(
        code="pro",
        name="Pro",
        description="For a whole company.",
        unit_amount_minor=9900,
        entitlements=(_quota("projects", 100), _switch("priority_support", enabled=True)),
    ),
)


async def offer_plans(
    shop: StripeShop, *, database_url: str, currency: str, now: datetime
) -> dict[str, int]:
    """Products and prices exist at Stripe, plans in Holdfast; returns plan ids by code.

    Repeating it changes nothing: prices are found again by their lookup key.
    """
    prices = {
        plan.code: await shop.ensure_price(
            f"holdfast_demo_{plan.code}_{currency}_{plan.unit_amount_minor}",
            name=plan.name,
            description=plan.description,
            currency=currency,
            unit_amount_minor=plan.unit_amount_minor,
        )
        for plan in PLANS
    }
    database = Database(make_engine(database_url, pool_size=1, pool_overflow=0))
    try:

        async def publish(connection: WriteConnection) -> dict[str, int]:
            return {
                plan.code: await _publish(connection, plan, prices[plan.code], currency, now)
                for plan in PLANS
            }

        return await database.write(publish, name="demo.publish_plans")
    finally:
        await database.close()


async def _publish(
    connection: WriteConnection, plan: DemoPlan, price: Price, currency: str, now: datetime
) -> int:
    return await publish_plan(
        connection,
        code=plan.code,
        name=plan.name,
        description=plan.description,
        provider="stripe",
        provider_price_id=price.id,
        provider_product_id=price.product_id,
        currency=currency,
        unit_amount_minor=plan.unit_amount_minor,
        interval="month",
        interval_count=1,
        entitlements=plan.entitlements,
        now=now,
    )
