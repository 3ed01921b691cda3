"""What the catalogue says: prices to plans, plans to entitlements. Read only."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from billing_common.domain.catalogue import GrantedPlan, PlanPrice
from billing_common.storage.tables import (
    billing_entitlements,
    billing_plan_prices,
    billing_plans,
)
from billing_common.storage.transaction import WriteConnection


async def find_prices(
    connection: WriteConnection, *, provider: str, price_ids: Iterable[str]
) -> dict[str, PlanPrice]:
    """Provider price id -> our price. Inactive prices still name the plan of old subscriptions."""
    wanted = list(price_ids)
    if not wanted:
        return {}
    prices = billing_plan_prices
    rows = await connection.execute(
        select(
            prices.c.provider_price_id,
            prices.c.id,
            prices.c.plan_id,
            prices.c.billing_component,
            prices.c.usage_type,
        ).where(prices.c.provider == provider, prices.c.provider_price_id.in_(wanted))
    )
    return {
        row.provider_price_id: PlanPrice(row.id, row.plan_id, row.billing_component, row.usage_type)
        for row in rows
    }


async def find_plans(
    connection: WriteConnection, *, plan_ids: Iterable[int]
) -> dict[int, GrantedPlan]:
    """Plan id -> what it grants, in the order of the entitlement codes."""
    wanted = list(plan_ids)
    if not wanted:
        return {}
    plans, granted = billing_plans, billing_entitlements
    rows = await connection.execute(
        select(
            plans.c.id,
            plans.c.code,
            granted.c.code.label("entitlement_code"),
            granted.c.schema_version,
            granted.c.value_json,
        )
        .select_from(plans.outerjoin(granted, granted.c.plan_id == plans.c.id))
        .where(plans.c.id.in_(wanted))
        .order_by(plans.c.id, granted.c.code)
    )
    found: dict[int, GrantedPlan] = {}
    for row in rows:
        before = found.get(row.id, GrantedPlan(row.code, ()))
        entitlements = before.entitlements
        if row.entitlement_code is not None:
            entitlements += ((row.entitlement_code, row.schema_version, row.value_json),)
        found[row.id] = GrantedPlan(row.code, entitlements)
    return found
