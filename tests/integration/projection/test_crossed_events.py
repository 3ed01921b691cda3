"""Events that meet what they should not: other entities, other sessions, ties, stale copies."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text, update
from tests.fixtures.databases import Database
from tests.integration.projection.projectors import projector_on
from tests.integration.projection.purchases import (
    NOW,
    Buyer,
    batch_of,
    buy,
    events_of,
    make_buyer,
    publish_price,
    record_of,
)

from billing_common.contracts.stripe_event_headers import RETRY_ATTEMPT
from billing_common.domain.errors import TransientError
from billing_common.messaging.records import PartitionBatch
from billing_common.storage.tables import (
    billing_checkout_sessions,
    billing_invoices,
    billing_subscriptions,
    billing_webhook_events,
)
from projection.handlers.batch import BatchProjector
from stripe_double.testing import RunningDouble

pytestmark = pytest.mark.connected
Event = dict[str, Any]


def of_type(events: list[Event], event_type: str) -> Event:
    return copy.deepcopy(next(event for event in events if event["type"] == event_type))


async def event_row(database: Database, event_id: str) -> Any:
    table = billing_webhook_events
    async with database.engine.connect() as connection:
        found = await connection.execute(select(table).where(table.c.provider_event_id == event_id))
        return found.one()


async def session_rows(database: Database, buyer: Buyer) -> list[tuple[str, str | None]]:
    table = billing_checkout_sessions
    async with database.engine.connect() as connection:
        found = await connection.execute(
            select(table.c.status, table.c.provider_checkout_session_id)
            .where(table.c.billable_entity_id == buyer.billable_entity_id)
            .order_by(table.c.id)
        )
        return [tuple(row) for row in found]


@pytest.mark.requirement("EVT-06")
@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_an_invoice_is_never_linked_to_another_entitys_subscription(
    database: Database,
    stripe_double: RunningDouble,
    projector: BatchProjector,
    *,
    is_one_batch: bool,
) -> None:
    price_id = await publish_price(database.engine, stripe_double, code="starter")
    buyers = [await make_buyer(database.engine, stripe_double, name) for name in ("acme", "beta")]
    for buyer in buyers:
        await buy(stripe_double, buyer, price_id)
    events = [events_of(stripe_double, buyer) for buyer in buyers]
    created = of_type(events[0], "customer.subscription.created")
    crossed = of_type(events[1], "invoice.paid")
    details = crossed["data"]["object"]["parent"]["subscription_details"]
    details["subscription"] = created["data"]["object"]["id"]
    if is_one_batch:
        await projector.process(batch_of([created, crossed], first_offset=0))
    else:
        await projector.process(batch_of([crossed], first_offset=0))
        await projector.process(batch_of([created], first_offset=1))
    async with database.engine.connect() as connection:
        table = billing_invoices
        [row] = (
            await connection.execute(select(table.c.billable_entity_id, table.c.subscription_id))
        ).all()
    assert tuple(row) == (buyers[1].billable_entity_id, None)


@pytest.mark.requirement("EVT-06")
async def test_a_subscription_of_another_entitys_customer_is_refused(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    """Both claim the same object, in one batch: the first keeps it, the other fails alone."""
    price_id = await publish_price(database.engine, stripe_double, code="starter")
    buyers = [await make_buyer(database.engine, stripe_double, name) for name in ("acme", "beta")]
    await buy(stripe_double, buyers[0], price_id)
    created = of_type(events_of(stripe_double, buyers[0]), "customer.subscription.created")
    stolen = copy.deepcopy(created) | {"id": "evt_stolen"}
    stolen["data"]["object"]["customer"] = buyers[1].customer_id
    stolen["data"]["object"]["metadata"] = {}
    await projector.process(batch_of([created, stolen], first_offset=0))
    assert (await event_row(database, created["id"])).status == "processed"
    assert (await event_row(database, "evt_stolen")).status == "failed"
    async with database.engine.connect() as connection:
        owners = await connection.execute(select(billing_subscriptions.c.billable_entity_id))
        assert owners.scalars().all() == [buyers[0].billable_entity_id]


@pytest.mark.requirement("EVT-06")
async def test_another_product_in_the_same_account_is_ignored(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    """Its metadata may use our words for its own things."""
    price_id = await publish_price(database.engine, stripe_double, code="starter")
    buyer = await make_buyer(database.engine, stripe_double, "acme")
    await buy(stripe_double, buyer, price_id)
    events = events_of(stripe_double, buyer)
    foreign = []
    for number, claim in enumerate(({}, {"operation_key": "k" * 500}, {"billable_entity_id": "x"})):
        event = of_type(events, "checkout.session.completed") | {"id": f"evt_foreign_{number}"}
        event["data"]["object"] |= {"customer": "cus_of_somebody_else", "metadata": claim}
        foreign.append(event)
    await projector.process(batch_of([*foreign, *events], first_offset=0))
    for event in foreign:
        row = await event_row(database, event["id"])
        assert (row.status, row.outcome_code) == ("ignored", "not_ours")
        assert (row.operation_key, row.payload) == (None, None)
    assert [status for status, _ in await session_rows(database, buyer)] == ["completed_reconciled"]


@pytest.mark.requirement("EVT-07")
async def test_the_truth_of_a_tie_may_name_a_price_that_no_event_names(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    price_id = await publish_price(database.engine, stripe_double, code="starter")
    older_price_id = await publish_price(database.engine, stripe_double, code="older")
    buyer = await make_buyer(database.engine, stripe_double, "acme")
    await buy(stripe_double, buyer, price_id)
    created = of_type(events_of(stripe_double, buyer), "customer.subscription.created")
    tie = copy.deepcopy(created) | {"id": "evt_tie", "type": "customer.subscription.updated"}
    tie["data"]["object"]["items"]["data"][0]["price"]["id"] = older_price_id
    await projector.process(batch_of([created], first_offset=0))
    await projector.process(batch_of([tie], first_offset=1))
    row = await event_row(database, "evt_tie")
    assert (row.status, row.outcome_code) == ("processed", None)
    async with database.engine.connect() as connection:
        plan = await connection.execute(
            text(
                "select p.code from billing_subscriptions s "
                "join billing_plans p on p.id = s.plan_id"
            )
        )
        assert plan.scalar_one() in {"starter", b"starter"}


@pytest.mark.requirement("EVT-13")
async def test_copies_of_one_retry_use_up_one_attempt(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    """Reconciler sends again while projection is away: the copies wait in the log together."""
    await publish_price(database.engine, stripe_double, code="starter")
    price_id = await publish_price(database.engine, stripe_double, code="other")
    buyer = await make_buyer(database.engine, stripe_double, "acme")
    await buy(stripe_double, buyer, price_id)
    async with database.engine.begin() as connection:
        await connection.execute(
            text("update billing_plan_prices set provider_price_id = 'hidden' where id = 2")
        )
    created = of_type(events_of(stripe_double, buyer), "customer.subscription.created")
    await projector.process(batch_of([created], first_offset=0))
    for offset in range(1, 6):
        record = record_of(created, offset=offset)
        resent = replace(record, headers=(*record.headers, (RETRY_ATTEMPT, b"2")))
        await projector.process(PartitionBatch(record.topic, 0, (resent,)))
    row = await event_row(database, created["id"])
    assert (row.status, row.attempt_count) == ("failed", 2)


@pytest.mark.requirement("EVT-04")
async def test_a_batch_read_again_uses_up_no_attempt(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    """The failure is committed with the offset: what stands below it is not tried again."""
    price_id = await publish_price(database.engine, stripe_double, code="starter")
    buyer = await make_buyer(database.engine, stripe_double, "acme")
    await buy(stripe_double, buyer, price_id)
    forged = of_type(events_of(stripe_double, buyer), "customer.subscription.created")
    forged["data"]["object"]["metadata"]["billable_entity_id"] = "999"
    for _ in range(3):
        await projector.process(batch_of([forged], first_offset=0))
    row = await event_row(database, forged["id"])
    assert (row.status, row.attempt_count) == ("failed", 1)


async def test_a_session_that_was_never_bound_expires_without_alarm(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    price_id = await publish_price(database.engine, stripe_double, code="starter")
    buyer = await make_buyer(database.engine, stripe_double, "acme")
    session_id = await buy(stripe_double, buyer, price_id)
    events = events_of(stripe_double, buyer)
    loose = of_type(events, "checkout.session.completed") | {
        "id": "evt_loose",
        "type": "checkout.session.expired",
    }
    loose["data"]["object"] |= {"id": "cs_loose", "status": "expired", "subscription": None}
    await projector.process(batch_of([*events, loose], first_offset=0))
    row = await event_row(database, "evt_loose")
    assert (row.status, row.outcome_code) == ("ignored", "another_session_is_bound")
    assert await session_rows(database, buyer) == [("completed_reconciled", session_id)]
    paid_loose = of_type(events, "checkout.session.completed") | {"id": "evt_paid_loose"}
    paid_loose["data"]["object"]["id"] = "cs_loose"
    await projector.process(batch_of([paid_loose], first_offset=len(events) + 1))
    row = await event_row(database, "evt_paid_loose")
    assert (row.status, row.outcome_code) == ("failed", "checkout_session_correlation_mismatch")


async def test_a_one_off_session_waits_for_no_subscription(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    price_id = await publish_price(database.engine, stripe_double, code="starter")
    buyer = await make_buyer(database.engine, stripe_double, "acme")
    await buy(stripe_double, buyer, price_id)
    paid = of_type(events_of(stripe_double, buyer), "checkout.session.completed")
    paid["data"]["object"] |= {"mode": "payment", "subscription": None}
    await projector.process(batch_of([paid], first_offset=0))
    assert [status for status, _ in await session_rows(database, buyer)] == ["completed_reconciled"]


@pytest.mark.requirement("EVT-08")
async def test_a_completion_beside_another_open_session_settles_with_its_subscription(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    """The unique key lets one session of an entity block. The paid one waits as a failed event,
    and its retry goes through once the subscription makes it a finished one."""
    price_id = await publish_price(database.engine, stripe_double, code="starter")
    buyer = await make_buyer(database.engine, stripe_double, "acme")
    await buy(stripe_double, buyer, price_id)
    async with database.engine.begin() as connection:
        await connection.execute(
            billing_checkout_sessions.insert().values(
                billable_entity_id=buyer.billable_entity_id,
                provider="stripe",
                flow="subscription",
                operation_key="other-operation",
                provider_checkout_session_id="cs_other",
                status="open",
                created_at=NOW,
                updated_at=NOW,
            )
        )
    events = events_of(stripe_double, buyer)
    completed = of_type(events, "checkout.session.completed")
    created = of_type(events, "customer.subscription.created")
    await projector.process(batch_of([completed], first_offset=0))
    assert (await event_row(database, completed["id"])).status == "failed"
    await projector.process(batch_of([created, completed], first_offset=1))
    assert (await event_row(database, completed["id"])).status == "processed"
    assert [status for status, _ in await session_rows(database, buyer)] == [
        "open",
        "completed_reconciled",
    ]


@pytest.mark.requirement("EVT-07")
async def test_a_tie_while_the_provider_is_away_waits_and_is_folded_later(
    database: Database, stripe_double: RunningDouble
) -> None:
    price_id = await publish_price(database.engine, stripe_double, code="starter")
    buyer = await make_buyer(database.engine, stripe_double, "acme")
    await buy(stripe_double, buyer, price_id)
    created = of_type(events_of(stripe_double, buyer), "customer.subscription.created")
    tie = copy.deepcopy(created) | {"id": "evt_tie", "type": "customer.subscription.updated"}
    tie["data"]["object"]["status"] = "past_due"
    async with projector_on(database, stripe_double) as projector:
        await projector.process(batch_of([created], first_offset=0))
        async with database.engine.begin() as connection:
            # The provider answers 404 for it: as good as being away.
            table = billing_subscriptions
            real_id = created["data"]["object"]["id"]
            await connection.execute(update(table).values(provider_subscription_id="sub_gone"))
        gone = copy.deepcopy(tie)
        gone["data"]["object"]["id"] = "sub_gone"
        await projector.process(batch_of([gone], first_offset=1))
        row = await event_row(database, "evt_tie")
        assert (row.status, row.outcome_code) == ("failed", "truth_unavailable")
        async with database.engine.begin() as connection:
            await connection.execute(
                update(billing_subscriptions).values(provider_subscription_id=real_id)
            )
        await projector.process(batch_of([tie], first_offset=2))
        assert (await event_row(database, "evt_tie")).status == "processed"
    async with database.engine.connect() as connection:
        status = await connection.execute(select(billing_subscriptions.c.status))
        assert status.scalar_one() == "active"


@pytest.mark.requirement("EVT-04")
async def test_a_settled_event_that_comes_again_is_not_looked_at(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    """At another place of the log, alone and twice in one batch: no row and no feed moves."""
    price_id = await publish_price(database.engine, stripe_double, code="starter")
    buyer = await make_buyer(database.engine, stripe_double, "acme")
    await buy(stripe_double, buyer, price_id)
    events = events_of(stripe_double, buyer)
    await projector.process(batch_of(events, first_offset=0))
    before = [await event_row(database, event["id"]) for event in events]
    async with database.engine.connect() as connection:
        feeds = (await connection.execute(text("select * from billing_feed_outbox"))).all()
    await projector.process(batch_of([*events, *events], first_offset=len(events)))
    assert [await event_row(database, event["id"]) for event in events] == before
    async with database.engine.connect() as connection:
        again = (await connection.execute(text("select * from billing_feed_outbox"))).all()
    assert again == feeds


@pytest.mark.requirement("EVT-04")
@pytest.mark.parametrize("has_begun", [False, True])
async def test_two_owners_of_a_partition_apply_a_batch_once(
    database: Database, stripe_double: RunningDouble, *, has_begun: bool
) -> None:
    """A paused consumer wakes up after its partition was given away: both have the batch."""
    price_id = await publish_price(database.engine, stripe_double, code="starter")
    buyer = await make_buyer(database.engine, stripe_double, "acme")
    await buy(stripe_double, buyer, price_id)
    events = events_of(stripe_double, buyer)
    async with (
        projector_on(database, stripe_double) as one,
        projector_on(database, stripe_double) as other,
    ):
        if has_begun:
            foreign = of_type(events, "invoice.finalized") | {"id": "evt_before"}
            await one.process(batch_of([foreign], first_offset=0))
        batch = batch_of(events, first_offset=int(has_begun))
        ends = await asyncio.gather(
            one.process(batch), other.process(batch), return_exceptions=True
        )
        stored = await one.load_offsets(batch.topic, [0])
    assert all(end is None or isinstance(end, TransientError) for end in ends), ends
    assert stored == {0: batch.next_offset}
    async with database.engine.connect() as connection:
        versions = await connection.execute(
            text("select entitlement_version from billable_entities")
        )
        assert versions.scalars().all() == [1]
        statuses = await connection.execute(
            text("select distinct status from billing_webhook_events")
        )
        assert set(statuses.scalars()) == {"processed", "ignored"}
