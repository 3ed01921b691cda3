"""What is sold: the active version of a plan and the price it sells for. Read only."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, select

from billing_common.storage.tables import billing_plan_prices, billing_plans
from billing_common.storage.transaction import WriteConnection


@dataclass(frozen=True, slots=True)
class SellablePrice:
    """An active, licensed base price."""

    provider_price_id: str
    currency: str


async def find_sellable_prices(
    connection: WriteConnection, *, plan_code: str, provider: str
) -> tuple[SellablePrice, ...] | None:
    """The sellable prices of the plan's active version, or None when it has none active."""
    plans, prices = billing_plans, billing_plan_prices
    rows = await connection.execute(
        select(plans.c.id, prices.c.provider_price_id, prices.c.currency)
        .select_from(
            plans.outerjoin(
                prices,
                and_(
                    prices.c.plan_id == plans.c.id,
                    prices.c.provider == provider,
                    prices.c.sellable_price_key.is_not(None),
                ),
            )
        )
        .where(plans.c.active_plan_key == plan_code)
        .order_by(prices.c.id)
    )
    found = rows.all()
    if not found:
        return None
    return tuple(
        SellablePrice(row.provider_price_id, row.currency)
        for row in found
        if row.provider_price_id is not None
    )
