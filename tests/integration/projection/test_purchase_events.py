"""The events of one purchase, folded on a real database, in every order."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.fixtures.databases import Database
from tests.integration.projection.projectors import projector_on
from tests.integration.projection.purchases import (
    Buyer,
    batch_of,
    buy,
    events_of,
    make_buyer,
    publish_price,
)

from billing_common.storage.tables import billing_feed_outbox
from projection.decisions.event import ROUTES
from projection.handlers.batch import BatchProjector
from stripe_double.testing import RunningDouble, running_double

pytestmark = pytest.mark.connected

# What an order may legitimately change: row ids, our own times, how often a row was written, and
# where in the log the event stood.
CANONICAL = {
    "billing_subscriptions": "provider_subscription_id, status, is_current, cancel_at_period_end, "
    "current_period_start, current_period_end, provider_subscription_created_at, operation_key, "
    "last_provider_event_created_at, last_provider_event_id",
    "billing_checkout_sessions": "operation_key, status, provider_checkout_session_id, "
    "provider_subscription_id, provider_customer_id, flow, expires_at",
    "billing_invoices": "provider_invoice_id, status, amount_paid_minor, amount_due_minor, "
    "amount_remaining_minor, currency, provider_subscription_id, subscription_id is null, paid_at",
    "billing_payments": "provider_payment_id, status, amount_minor, currency, paid_at",
    "billing_request_idempotency": "status, provider_session_id, response_status, response_body",
}


async def canonical_rows(engine: AsyncEngine, entity_id: int) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    async with engine.connect() as connection:
        for table, columns in CANONICAL.items():
            owner = (
                "invoice_id in (select id from billing_invoices where billable_entity_id = :id)"
                if table == "billing_payments"
                else "billable_entity_id = :id"
            )
            rows = await connection.execute(
                text(f"select {columns} from {table} where {owner} order by 1"), {"id": entity_id}
            )
            found[table] = [tuple(row) for row in rows]
    return found


async def started(engine: AsyncEngine, double: RunningDouble) -> tuple[Buyer, list[dict[str, Any]]]:
    price_id = await publish_price(engine, double, code="starter")
    buyer = await make_buyer(engine, double, "acme")
    await buy(double, buyer, price_id)
    return buyer, events_of(double, buyer)


@pytest.mark.requirement("EVT-08")
@pytest.mark.requirement("EVT-09")
@pytest.mark.requirement("EVT-11")
async def test_a_purchase_becomes_an_active_subscription(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    buyer, events = await started(database.engine, stripe_double)
    await projector.process(batch_of(events, first_offset=0))

    rows = await canonical_rows(database.engine, buyer.billable_entity_id)
    [subscription] = rows["billing_subscriptions"]
    assert subscription[1:3] == ("active", 1)
    [session] = rows["billing_checkout_sessions"]
    assert session[1] == "completed_reconciled"
    [invoice] = rows["billing_invoices"]
    assert invoice[1] == b"paid"
    [payment] = rows["billing_payments"]
    assert payment[1:3] == (b"paid", 1900)
    [operation] = rows["billing_request_idempotency"]
    assert operation[0] == "succeeded"


@pytest.fixture
def slow_stripe() -> Iterator[RunningDouble]:
    """A double whose subscriptions start incomplete: created, updated and paid in one second."""
    with running_double(subscription_starts_as="incomplete") as double:
        yield double


@pytest.mark.requirement("EVT-04")
@pytest.mark.requirement("EVT-07")
@pytest.mark.requirement("EVT-08")
async def test_every_order_and_any_repeat_ends_in_the_same_rows(
    database: Database, slow_stripe: RunningDouble
) -> None:
    """All 24 orders of the purchase's routed events, each order delivered twice, one by one."""
    price_id = await publish_price(database.engine, slow_stripe, code="starter")
    endings: dict[tuple[int, ...], Any] = {}
    offset = 0
    async with projector_on(database, slow_stripe) as projector:
        for number, order in enumerate(itertools.permutations(range(4))):
            buyer = await make_buyer(database.engine, slow_stripe, f"buyer{number:03}")
            await buy(slow_stripe, buyer, price_id)
            routed = [e for e in events_of(slow_stripe, buyer) if e["type"] in ROUTES]
            assert len(routed) == len(order), [e["type"] for e in routed]
            chosen = [routed[index] for index in order]
            for event in [*chosen, *chosen]:
                await projector.process(batch_of([event], first_offset=offset))
                offset += 1
            rows = await canonical_rows(database.engine, buyer.billable_entity_id)
            endings[order] = _without_names(json.loads(json.dumps(rows, default=str)))

    [first, *others] = endings.values()
    assert first["subscriptions"] == [["active", 1, 0]]
    assert first["sessions"] == ["completed_reconciled"]
    assert all(other == first for other in others), endings


def _without_names(shape: Any) -> Any:
    """Statuses, amounts and flags only: ids and times differ from buyer to buyer."""
    return {
        "subscriptions": [row[1:4] for row in shape["billing_subscriptions"]],
        "sessions": [row[1] for row in shape["billing_checkout_sessions"]],
        "invoices": [[*row[1:6], row[7]] for row in shape["billing_invoices"]],
        "payments": [row[1:4] for row in shape["billing_payments"]],
        "operations": [row[0] for row in shape["billing_request_idempotency"]],
    }


@pytest.mark.requirement("LIM-06")
async def test_the_feeds_carry_the_change_and_the_whole_entitlement(
    database: Database, stripe_double: RunningDouble, projector: BatchProjector
) -> None:
    buyer, events = await started(database.engine, stripe_double)
    await projector.process(batch_of(events, first_offset=0))

    async with database.engine.connect() as connection:
        rows = (
            await connection.execute(select(billing_feed_outbox).order_by(billing_feed_outbox.c.id))
        ).all()
    snapshot = json.loads(rows[-1].payload)
    assert rows[-1].topic == "billing.entitlements.v1"
    assert snapshot["plan_code"] == "starter"
    assert snapshot["subscription_status"] == "active"
    assert [value["code"] for value in snapshot["entitlements"]] == ["projects.enabled"]
    assert snapshot["version"] == 1
    assert snapshot["billable_entity_id"] == buyer.billable_entity_id
    changed = {json.loads(row.payload)["object_type"] for row in rows[:-1]}
    assert changed == {"subscription", "checkout_session", "invoice"}
