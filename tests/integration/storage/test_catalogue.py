"""Publishing plans: versions never change, prices are mapped once, repeating is harmless."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.fixtures.databases import Database
from tests.integration.storage.rows import LATER, NOW

from billing_common.domain.entitlements import PlanEntitlement
from billing_common.storage.catalogue import CatalogueRefusal, publish_plan
from billing_common.storage.tables import (
    billing_entitlements,
    billing_plan_prices,
    billing_plans,
)

pytestmark = [pytest.mark.connected, pytest.mark.requirement("DATA-05")]

SEATS = PlanEntitlement(
    code="seats",
    schema_version="entitlement.quota.v1",
    value={"limit": 5, "interval": "month", "enforcement": "hard"},
)
EXPORT = PlanEntitlement(
    code="export", schema_version="entitlement.boolean.v1", value={"enabled": True}
)
PRO: dict[str, Any] = {
    "code": "pro",
    "name": "Pro",
    "description": None,
    "provider": "stripe",
    "provider_price_id": "price_1",
    "provider_product_id": "prod_1",
    "currency": "usd",
    "unit_amount_minor": 1900,
    "interval": "month",
    "interval_count": 1,
    "entitlements": (SEATS, EXPORT),
    "now": NOW,
}


async def _active(connection: AsyncConnection) -> list[tuple[str, int, str]]:
    """(code, version, price) of everything that can be bought."""
    rows = await connection.execute(
        select(
            billing_plans.c.code,
            billing_plans.c.version,
            billing_plan_prices.c.provider_price_id,
        )
        .join(billing_plan_prices, billing_plan_prices.c.plan_id == billing_plans.c.id)
        .where(billing_plans.c.is_active, billing_plan_prices.c.is_active)
        .order_by(billing_plans.c.code)
    )
    return [tuple(row) for row in rows]


async def _entitlement_codes(connection: AsyncConnection, plan_id: int) -> set[str]:
    codes = await connection.execute(
        select(billing_entitlements.c.code).where(billing_entitlements.c.plan_id == plan_id)
    )
    return set(codes.scalars())


async def test_publishing_the_same_again_changes_nothing(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        first = await publish_plan(connection, **PRO)
        before = (await connection.execute(select(billing_plans))).all()
        reordered = {**PRO, "entitlements": (EXPORT, SEATS), "now": LATER}
        assert await publish_plan(connection, **reordered) == first
        assert (await connection.execute(select(billing_plans))).all() == before
        assert await _active(connection) == [("pro", 1, "price_1")]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Professional"},
        {"description": "More of everything"},
        {"entitlements": (SEATS,)},
        {"entitlements": ()},
        {"provider_price_id": "price_2"},
        {"provider_price_id": "price_2", "unit_amount_minor": 2900},
    ],
    ids="+".join,
)
async def test_a_change_is_the_next_version(database: Database, change: dict[str, Any]) -> None:
    changed = {**PRO, **change, "now": LATER}
    async with database.engine.begin() as connection:
        first = await publish_plan(connection, **PRO)
        second = await publish_plan(connection, **changed)
        assert second != first
        assert await publish_plan(connection, **changed) == second
        assert await _active(connection) == [("pro", 2, changed["provider_price_id"])]
        # What the first version promised is as it was.
        assert await _entitlement_codes(connection, first) == {"seats", "export"}
        wanted = {entitlement.code for entitlement in changed["entitlements"]}
        assert await _entitlement_codes(connection, second) == wanted


async def test_going_back_to_an_earlier_price_sells_it_again(database: Database) -> None:
    async with database.engine.begin() as connection:
        await publish_plan(connection, **PRO)
        await publish_plan(connection, **{**PRO, "provider_price_id": "price_2"})
        await publish_plan(connection, **PRO)
        assert await _active(connection) == [("pro", 3, "price_1")]
        rows = await connection.execute(select(billing_plan_prices.c.provider_price_id))
        assert sorted(rows.scalars()) == ["price_1", "price_2"]


@pytest.mark.parametrize(
    "change",
    [
        {"unit_amount_minor": 2000},
        {"currency": "eur"},
        {"interval": "year"},
        {"interval_count": 2},
        {"provider_product_id": "prod_2"},
        {"code": "team"},
    ],
    ids="+".join,
)
async def test_a_known_price_cannot_mean_something_else(
    database: Database, change: dict[str, Any]
) -> None:
    async with database.engine.begin() as connection:
        await publish_plan(connection, **PRO)
        with pytest.raises(CatalogueRefusal, match="price_1"):
            await publish_plan(connection, **{**PRO, **change})
        assert await _active(connection) == [("pro", 1, "price_1")]


@pytest.mark.parametrize(
    "change",
    [
        {"code": ""},
        {"code": "no spaces"},
        {"name": " "},
        {"name": "x" * 161},
        {"provider": "paddle"},
        {"provider_price_id": ""},
        {"currency": "USD"},
        {"unit_amount_minor": -1},
        {"unit_amount_minor": 1.5},
        {"interval": "fortnight"},
        {"interval_count": 0},
        {"entitlements": (SEATS, SEATS)},
    ],
    ids=str,
)
async def test_a_plan_that_makes_no_sense_is_refused(
    database: Database, change: dict[str, Any]
) -> None:
    async with database.engine.begin() as connection:
        with pytest.raises(CatalogueRefusal):
            await publish_plan(connection, **{**PRO, **change})
        assert (await connection.execute(select(billing_plans))).all() == []


async def test_many_publishers_leave_one_active_version(each_database: Database) -> None:
    async def publish(number: int) -> None:
        for _ in range(20):  # as the transaction runner of a service repeats its closure
            try:
                async with each_database.engine.begin() as connection:
                    await publish_plan(connection, **{**PRO, "name": f"Pro {number}"})
            except DBAPIError:
                continue
            return
        raise AssertionError("never got through")

    await asyncio.gather(*(publish(number) for number in range(6)))
    async with each_database.engine.connect() as connection:
        assert len(await _active(connection)) == 1
        versions = await connection.execute(
            select(billing_plans.c.version).order_by(billing_plans.c.version)
        )
        assert versions.scalars().all() == [1, 2, 3, 4, 5, 6]
