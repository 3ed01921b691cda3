"""The generated guards: at most one row in some states, however many writers there are."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Table, update
from tests.fixtures.databases import Database
from tests.integration.storage.refusals import refused_by_key
from tests.integration.storage.rows import LATER, Rows

from billing_common.storage import tables as t

pytestmark = pytest.mark.connected

BLOCKING = ("open", "completed_pending_subscription", "recovery_verification_pending")
NOT_BLOCKING = ("completed_reconciled", "expired", "abandoned")


async def _set(rows: Rows, table: Table, row_id: int, **values: Any) -> None:
    await rows.connection.execute(update(table).where(table.c.id == row_id).values(**values))


@pytest.mark.requirement("DATA-02")
@pytest.mark.requirement("SCOPE-04")
async def test_one_pending_subscription_checkout_per_entity(each_database: Database) -> None:
    key = "uq_billing_request_idempotency_active_checkout_pending_key"
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity, other = await rows.entity(), await rows.entity()
        await rows.operation(entity)
        async with refused_by_key(connection, key):
            await rows.operation(entity)
        await rows.operation(other)
        await rows.operation(entity, flow="one_off")
        await rows.operation(entity, flow="one_off")
        await rows.operation(entity, action="portal", flow=None)
        await rows.operation(entity, action="payment_link", flow=None)
        for status in ("succeeded", "failed", "expired"):
            done = await rows.operation(entity, status=status)
        async with refused_by_key(connection, key):
            await _set(rows, t.billing_request_idempotency, done, status="pending")


@pytest.mark.requirement("DATA-02")
@pytest.mark.requirement("SCOPE-05")
async def test_one_blocking_session_per_entity(each_database: Database) -> None:
    key = "uq_billing_checkout_sessions_active_checkout_block_key"
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        for first in BLOCKING:
            entity = await rows.entity()
            await rows.session(entity, status=first)
            for status in BLOCKING:
                async with refused_by_key(connection, key):
                    await rows.session(entity, status=status)
                await rows.session(entity, status=status, flow="one_off")
            for status in NOT_BLOCKING:
                ended = await rows.session(entity, status=status)
            async with refused_by_key(connection, key):
                await _set(rows, t.billing_checkout_sessions, ended, status="open")


@pytest.mark.requirement("DATA-02")
@pytest.mark.requirement("SCOPE-06")
async def test_one_current_subscription_per_entity(each_database: Database) -> None:
    key = "uq_billing_subscriptions_current_subscription_key"
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity, other = await rows.entity(), await rows.entity()
        customer, plan = await rows.customer(entity), await rows.plan()
        await rows.subscription(entity, customer, plan)
        async with refused_by_key(connection, key):
            await rows.subscription(entity, customer, plan)
        await rows.subscription(other, await rows.customer(other), plan)
        idle = await rows.subscription(entity, customer, plan, is_current=False)
        async with refused_by_key(connection, key):
            await _set(rows, t.billing_subscriptions, idle, is_current=True)


@pytest.mark.requirement("SCOPE-06")
async def test_one_customer_per_entity_and_provider(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity, other = await rows.entity(), await rows.entity()
        await rows.customer(entity, provider_customer_id="cus_A")
        async with refused_by_key(connection, "uq_billing_customers_entity_provider"):
            await rows.customer(entity)
        async with refused_by_key(connection, "uq_billing_customers_provider_customer"):
            await rows.customer(other, provider_customer_id="cus_A")
        await rows.customer(other, provider_customer_id="cus_a")


@pytest.mark.requirement("DATA-02")
@pytest.mark.requirement("DATA-05")
async def test_one_sellable_price_per_plan_and_provider(each_database: Database) -> None:
    key = "uq_billing_plan_prices_sellable_price_key"
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        plan = await rows.plan()
        await rows.price(plan)
        async with refused_by_key(connection, key):
            await rows.price(plan)
        await rows.price(await rows.plan())
        await rows.price(plan, provider="another")
        await rows.price(plan, usage_type="metered")
        for component in ("seat", "metered", "add_on"):
            await rows.price(plan, billing_component=component)
        retired = await rows.price(plan, is_active=False)
        async with refused_by_key(connection, key):
            await _set(rows, t.billing_plan_prices, retired, is_active=True)


@pytest.mark.requirement("DATA-05")
async def test_one_active_version_per_plan_code(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        await rows.plan(code="pro", version=1)
        async with refused_by_key(connection, "uq_billing_plans_active_plan_key"):
            await rows.plan(code="pro", version=2)
        async with refused_by_key(connection, "uq_billing_plans_code_version"):
            await rows.plan(code="pro", version=1, is_active=False)
        await rows.plan(code="pro", version=2, is_active=False)
        await rows.plan(code="PRO", version=1)


@pytest.mark.requirement("DATA-05")
async def test_a_provider_price_sells_one_plan(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        await rows.price(await rows.plan(), provider_price_id="price_A")
        async with refused_by_key(connection, "uq_billing_plan_prices_provider_price"):
            await rows.price(await rows.plan(), provider_price_id="price_A", is_active=False)


@pytest.mark.requirement("DATA-02")
async def test_one_running_run_per_provider_and_scope(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        await rows.run()
        async with refused_by_key(connection, "uq_billing_reconciliation_runs_active_run_key"):
            await rows.run()
        await rows.run(provider="another")
        await rows.run(scope="checkout_open")
        for status in ("succeeded", "failed"):
            await rows.run(status=status, lease_expires_at=None, finished_at=LATER)


@pytest.mark.requirement("DATA-02")
@pytest.mark.parametrize("name", ["current_subscription_key", "active_checkout_block_key"])
async def test_a_guard_cannot_be_written(database: Database, name: str) -> None:
    """It follows its row; nobody can free it by hand."""
    table = next(table for table in t.metadata.tables.values() if name in table.c)
    assert table.c[name].computed is not None
    async with database.engine.connect() as connection:
        with pytest.raises(Exception, match=name):
            await connection.exec_driver_sql(f"INSERT INTO {table.name} (id, {name}) VALUES (1, 1)")
