"""Composite foreign keys: a row cannot mix one entity's customer with another's, or providers."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select
from tests.fixtures.databases import Database
from tests.integration.storage.refusals import (
    CHILD_ROW_EXISTS,
    NO_PARENT_ROW,
    refused_by_number,
)
from tests.integration.storage.rows import NOW, Rows

from billing_common.storage import tables as t

pytestmark = [pytest.mark.connected, pytest.mark.requirement("DATA-03")]


async def test_a_subscription_names_its_own_entitys_customer(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity, other, plan = await rows.entity(), await rows.entity(), await rows.plan()
        customer = await rows.customer(entity)
        async with refused_by_number(connection, NO_PARENT_ROW):
            await rows.subscription(other, customer, plan)
        async with refused_by_number(connection, NO_PARENT_ROW):
            await rows.subscription(entity, customer, plan, provider="another")
        async with refused_by_number(connection, NO_PARENT_ROW):
            await rows.subscription(entity, customer, plan + 1)
        await rows.subscription(entity, customer, plan)


async def test_an_item_names_its_own_providers_subscription_and_price(
    each_database: Database,
) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity, plan = await rows.entity(), await rows.plan()
        price = await rows.price(plan)
        foreign_price = await rows.price(plan, provider="another")
        subscription = await rows.subscription(entity, await rows.customer(entity), plan)
        item = {
            "subscription_id": subscription,
            "provider": "stripe",
            "provider_price_id": "price_A",
        }
        async with refused_by_number(connection, NO_PARENT_ROW):
            await rows.insert(
                t.billing_subscription_items,
                **(item | {"provider": "another", "provider_subscription_item_id": "si_1"}),
            )
        async with refused_by_number(connection, NO_PARENT_ROW):
            await rows.insert(
                t.billing_subscription_items,
                **item,
                provider_subscription_item_id="si_1",
                billing_plan_price_id=foreign_price,
            )
        for number, link in enumerate((price, None)):
            await rows.insert(
                t.billing_subscription_items,
                **item,
                provider_subscription_item_id=f"si_{number}",
                billing_plan_price_id=link,
            )


async def test_money_rows_stay_with_their_entity(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity, other = await rows.entity(), await rows.entity()
        customer = await rows.customer(entity)
        invoice = {
            "billable_entity_id": entity,
            "billing_customer_id": customer,
            "provider": "stripe",
            "status": "paid",
            "currency": "usd",
        }
        async with refused_by_number(connection, NO_PARENT_ROW):
            await rows.insert(
                t.billing_invoices,
                **(invoice | {"billable_entity_id": other, "provider_invoice_id": "in_1"}),
            )
        stored = await rows.insert(t.billing_invoices, **invoice, provider_invoice_id="in_1")
        payment = {
            "invoice_id": stored,
            "provider_payment_id": "pay_1",
            "type": "invoice",
            "status": "paid",
            "amount_minor": 1,
            "currency": "usd",
        }
        async with refused_by_number(connection, NO_PARENT_ROW):
            await rows.insert(t.billing_payments, **payment, provider="another")
        await rows.insert(t.billing_payments, **payment, provider="stripe")
        async with refused_by_number(connection, NO_PARENT_ROW):
            await rows.insert(
                t.billing_payment_methods,
                billable_entity_id=other,
                billing_customer_id=customer,
                provider="stripe",
                provider_payment_method_id="pm_1",
                type="card",
            )


async def test_a_parent_with_children_stays(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity = await rows.entity()
        await rows.customer(entity)
        async with refused_by_number(connection, CHILD_ROW_EXISTS):
            await connection.execute(
                delete(t.billable_entities).where(t.billable_entities.c.id == entity)
            )


async def test_purging_a_parent_empties_the_optional_links(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        rows = Rows(connection)
        entity, plan = await rows.entity(), await rows.plan()
        operation = await rows.operation(entity)
        await rows.session(entity, idempotency_row_id=operation)
        customer = await rows.customer(entity)
        subscription = await rows.subscription(entity, customer, plan)
        await rows.remediation(entity, canonical_subscription_id=subscription)
        other = await rows.entity()
        await rows.insert(
            t.billing_payment_method_sync_events,
            billable_entity_id=other,
            billing_customer_id=await rows.customer(other),
            provider="stripe",
            status="succeeded",
            processed_at=NOW,
        )
        await connection.execute(delete(t.billing_request_idempotency))
        await connection.execute(delete(t.billing_subscriptions))
        await connection.execute(
            delete(t.billing_customers).where(t.billing_customers.c.billable_entity_id == other)
        )
        for column in (
            t.billing_checkout_sessions.c.idempotency_row_id,
            t.billing_subscription_remediations.c.canonical_subscription_id,
            t.billing_payment_method_sync_events.c.billing_customer_id,
        ):
            assert (await connection.execute(select(column))).scalars().all() == [None]


def test_a_link_that_can_empty_is_nullable_and_feeds_no_guard() -> None:
    """Both engines forbid SET NULL on columns that a generated column or a CHECK reads."""
    for table in t.metadata.tables.values():
        read_by_server = " ".join(
            [str(c.computed.sqltext) for c in table.columns if c.computed is not None]
            + [str(c.sqltext) for c in table.constraints if hasattr(c, "sqltext")]
        )
        for key in table.foreign_key_constraints:
            assert key.ondelete in {"RESTRICT", "SET NULL"}
            assert key.onupdate is None
            if key.ondelete == "SET NULL":
                for column in key.columns:
                    assert column.nullable
                    assert column.name not in read_by_server
