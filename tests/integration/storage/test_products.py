"""Products that are sold once: one active row per code, and a price that never changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from tests.fixtures.databases import Database

from billing_common.storage.catalogue import CatalogueRefusal
from billing_common.storage.products import publish_product
from billing_common.storage.tables import billing_products

pytestmark = [pytest.mark.connected, pytest.mark.requirement("CHK-10")]


async def publish(database: Database, **changes: Any) -> int:
    facts: dict[str, Any] = {
        "code": "onboarding",
        "name": "Onboarding",
        "description": None,
        "provider": "stripe",
        "provider_price_id": "price_1",
        "provider_product_id": "prod_1",
        "currency": "usd",
        "unit_amount_minor": 5000,
        "now": datetime.now(UTC),
    }
    async with database.engine.begin() as connection:
        return await publish_product(connection, **{**facts, **changes})


async def rows(database: Database) -> list[tuple[str, str, bool]]:
    columns = billing_products.c
    async with database.engine.connect() as connection:
        found = await connection.execute(
            select(columns.provider_price_id, columns.name, columns.is_active).order_by(columns.id)
        )
        return [(row[0], row[1], bool(row[2])) for row in found]


async def test_publishing_the_same_again_changes_nothing(database: Database) -> None:
    first = await publish(database)
    assert await publish(database) == first
    assert await rows(database) == [("price_1", "Onboarding", True)]


async def test_another_price_retires_the_one_before(database: Database) -> None:
    first = await publish(database)
    second = await publish(database, provider_price_id="price_2", unit_amount_minor=6000)
    assert second != first
    assert await rows(database) == [
        ("price_1", "Onboarding", False),
        ("price_2", "Onboarding", True),
    ]
    assert await publish(database, name="Onboarding call") == first, "and back again"
    assert await rows(database) == [
        ("price_1", "Onboarding call", True),
        ("price_2", "Onboarding", False),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"unit_amount_minor": 6000},
        {"currency": "eur"},
        {"code": "other"},
        {"unit_amount_minor": -1},
        {"currency": "USD"},
        {"code": "no spaces"},
        {"name": " "},
    ],
)
async def test_what_contradicts_is_refused(database: Database, changes: dict[str, Any]) -> None:
    await publish(database)
    with pytest.raises(CatalogueRefusal):
        await publish(database, **changes)
    assert await rows(database) == [("price_1", "Onboarding", True)]
