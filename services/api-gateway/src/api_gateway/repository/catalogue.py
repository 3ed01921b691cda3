"""What is on sale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select

from billing_common.storage.tables import (
    billing_entitlements,
    billing_plan_prices,
    billing_plans,
)
from billing_common.storage.transaction import ReadConnection

_plans = billing_plans.c
_prices = billing_plan_prices.c
_entitlements = billing_entitlements.c


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitlementRow:
    """One thing a plan grants."""

    plan_id: int
    code: str
    schema_version: str
    value: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """A plan version and the price it is sold at, without the provider's ids."""

    id: int
    code: str
    version: int
    name: str
    description: str | None
    applies_to: str
    interval: str
    interval_count: int
    currency: str
    unit_amount_minor: int
    created_at: datetime
    updated_at: datetime


async def find_active_plans(connection: ReadConnection) -> Sequence[PlanRow]:
    """Plans that can be bought now: active, with a sellable price."""
    rows = await connection.execute(
        select(
            _plans.id,
            _plans.code,
            _plans.version,
            _plans.name,
            _plans.description,
            _plans.applies_to,
            _prices.interval,
            _prices.interval_count,
            _prices.currency,
            _prices.unit_amount_minor,
            _plans.created_at,
            _plans.updated_at,
        )
        .join(
            billing_plan_prices,
            and_(
                _prices.plan_id == _plans.id,
                _prices.is_active,
                _prices.usage_type == "licensed",
                _prices.billing_component == "base",
            ),
        )
        .where(_plans.is_active)
        .order_by(_plans.id)
    )
    return [PlanRow(**row) for row in rows.mappings()]


async def find_entitlements(
    connection: ReadConnection, plan_ids: Sequence[int]
) -> Sequence[EntitlementRow]:
    """What these plans grant, by plan and code."""
    if not plan_ids:
        return []
    rows = await connection.execute(
        select(
            _entitlements.plan_id,
            _entitlements.code,
            _entitlements.schema_version,
            _entitlements.value_json.label("value"),
        )
        .where(_entitlements.plan_id.in_(plan_ids))
        .order_by(_entitlements.plan_id, _entitlements.code)
    )
    return [EntitlementRow(**row) for row in rows.mappings()]
