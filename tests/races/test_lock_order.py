"""The recorder that watches the whole run sees what it must, and knows the order of the code."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text
from tests.fixtures.databases import Database
from tests.fixtures.lock_orders import ORDER, LockOrders

from billing_common.storage import entity_locks
from billing_common.storage.tables import metadata
from billing_common.storage.transaction import Database as Transactions
from billing_common.storage.transaction import WriteConnection

pytestmark = pytest.mark.connected


async def lock(database: Database, *tables: str) -> None:
    async def transaction(connection: WriteConnection) -> None:
        for table in tables:
            await connection.execute(text(f"SELECT id FROM {table} FOR UPDATE"))

    await Transactions(database.engine).write(transaction, name="made on purpose")


@pytest.mark.requirement("CHK-02")
async def test_the_recorder_sees_an_inversion(database: Database, lock_orders: LockOrders) -> None:
    await lock(database, "billing_checkout_sessions", "billable_entities")

    assert lock_orders.inversions == [
        ["made on purpose", "billing_checkout_sessions", "billable_entities"]
    ]
    lock_orders.inversions.clear()


@pytest.mark.requirement("CHK-02")
async def test_the_recorder_accepts_the_order_and_parts_of_it(
    database: Database, lock_orders: LockOrders
) -> None:
    before = lock_orders.ordered

    await lock(database, ORDER[0], ORDER[2], ORDER[3], ORDER[0])

    assert lock_orders.inversions == []
    assert lock_orders.ordered == before + 1


def test_the_order_is_the_one_that_the_code_states() -> None:
    words = ("entity", "subscriptions", "operations", "checkout sessions", "remediations", "outbox")
    stated = re.sub(r"\s+", " ", entity_locks.__doc__ or "")
    places = [stated.index(word) for word in words]

    assert places == sorted(places)
    assert set(ORDER) <= set(metadata.tables)
