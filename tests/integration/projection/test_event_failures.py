"""What projection does with events it cannot or must not fold."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from sqlalchemy import select, text
from tests.fixtures.databases import Database
from tests.integration.projection.purchases import (
    batch_of,
    buy,
    events_of,
    make_buyer,
    publish_price,
)

from billing_common.messaging.errors import OffsetGap
from billing_common.storage.tables import billing_webhook_events
from projection.handlers.batch import BatchProjector
from stripe_double.testing import RunningDouble

pytestmark = pytest.mark.connected


async def event_rows(database: Database) -> dict[str, Any]:
    async with database.engine.connect() as connection:
        rows = await connection.execute(select(billing_webhook_events))
        return {row.event_type: row for row in rows}


async def count(database: Database, table: str) -> int:
    async with database.engine.connect() as connection:
        found = await connection.execute(text(f"select count(*) from {table}"))
        return int(found.scalar_one())


async def purchase(database: Database, double: RunningDouble) -> list[dict[str, Any]]:
    price_id = await publish_price(database.engine, double, code="starter")
    buyer = await make_buyer(database.engine, double, "acme")
    await buy(double, buyer, price_id)
    return events_of(double, buyer)


@pytest.mark.requirement("EVT-05")
async def test_an_unrouted_type_is_recorded_as_ignored(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    events = await purchase(database, stripe_double)
    await projector.process(batch_of(events, first_offset=0))
    rows = await event_rows(database)
    assert rows["invoice.finalized"].status == "ignored"
    assert rows["invoice.finalized"].outcome_code == "type_not_routed"
    assert rows["invoice.finalized"].payload is None


@pytest.mark.requirement("EVT-06")
async def test_metadata_that_names_another_entity_changes_nothing(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    events = await purchase(database, stripe_double)
    forged = copy.deepcopy(
        next(event for event in events if event["type"] == "customer.subscription.created")
    )
    forged["data"]["object"]["metadata"]["billable_entity_id"] = "999"
    await projector.process(batch_of([forged], first_offset=0))
    row = (await event_rows(database))["customer.subscription.created"]
    assert (row.status, row.outcome_code) == ("failed", "checkout_session_correlation_mismatch")
    assert await count(database, "billing_subscriptions") == 0


@pytest.mark.requirement("EVT-13")
@pytest.mark.requirement("EVT-16")
async def test_a_poison_event_is_kept_and_the_rest_of_its_batch_goes_on(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    events = await purchase(database, stripe_double)
    poison = copy.deepcopy(next(event for event in events if event["type"] == "invoice.paid"))
    poison["id"] = "evt_poison"
    del poison["data"]["object"]["currency"]
    await projector.process(batch_of([poison, *events], first_offset=0))
    async with database.engine.connect() as connection:
        row = (
            await connection.execute(
                select(billing_webhook_events).where(
                    billing_webhook_events.c.provider_event_id == "evt_poison"
                )
            )
        ).one()
    assert (row.status, row.outcome_code) == ("failed", "stripe_shape_unexpected")
    assert row.payload is not None
    assert row.attempt_count == 1
    assert row.next_attempt_at is not None
    assert await count(database, "billing_subscriptions") == 1
    assert await count(database, "billing_invoices") == 1


@pytest.mark.requirement("EVT-13")
async def test_an_event_that_failed_is_folded_when_it_comes_again(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    """The plan was not published yet; then it is."""
    events = await purchase(database, stripe_double)
    created = next(e for e in events if e["type"] == "customer.subscription.created")
    async with database.engine.begin() as connection:
        await connection.execute(
            text("update billing_plan_prices set provider_price_id = 'price_hidden'")
        )
    await projector.process(batch_of([created], first_offset=0))
    row = (await event_rows(database))["customer.subscription.created"]
    assert (row.status, row.outcome_code) == ("failed", "price_unknown")
    price_id = created["data"]["object"]["items"]["data"][0]["price"]["id"]
    async with database.engine.begin() as connection:
        await connection.execute(
            text("update billing_plan_prices set provider_price_id = :id"), {"id": price_id}
        )
    await projector.process(batch_of([created], first_offset=1))
    row = (await event_rows(database))["customer.subscription.created"]
    assert (row.status, row.attempt_count, row.payload) == ("processed", 2, None)
    assert await count(database, "billing_subscriptions") == 1


@pytest.mark.requirement("EVT-04")
async def test_a_batch_delivered_again_is_applied_once_and_a_gap_is_refused(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    events = await purchase(database, stripe_double)
    batch = batch_of(events, first_offset=0)
    await projector.process(batch)
    before = await count(database, "billing_feed_outbox")
    await projector.process(batch)
    assert await count(database, "billing_feed_outbox") == before
    with pytest.raises(OffsetGap) as gap:
        await projector.process(batch_of(events, first_offset=len(events) + 5))
    assert gap.value.expected == len(events)
