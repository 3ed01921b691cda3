"""Projection against a bare batch writer: same events, same server, alternating rounds.

The bare writer stores an event row, and the newest state of each subscription or invoice, with
SQLAlchemy Core in the same batch size, and nothing else: no ordering, no locks in order, no
entitlements, no feeds. It is the floor of what any projection into these tables costs.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.events import CUSTOMERS, body_of, customer_id, event
from bench.measurement import Road, report
from bench.servers import running_mariadb
from billing_common.contracts.stripe_event_headers import StripeEventHeaders
from billing_common.messaging.dead_letters import DeadLetters
from billing_common.messaging.producer import DurableProducer
from billing_common.messaging.records import PartitionBatch, Record
from billing_common.storage import tables as t
from billing_common.storage.catalogue import publish_plan
from billing_common.storage.engine import make_engine
from billing_common.storage.migrate import upgrade_database
from billing_common.storage.transaction import Database
from billing_common.stripe_api.client import StripeProvider
from holdfast_cli.servers import MariaDbServer
from projection.handlers.batch import BatchProjector
from projection.handlers.truth import TruthSource
from projection.handlers.unreadable import UnreadableRecords

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BATCH = 250


def records(count: int, *, salt: str) -> list[Record]:
    made = []
    for number in range(count):
        source = event(number, salt=salt)
        headers = StripeEventHeaders(
            event_id=source["id"],
            event_type=source["type"],
            created=source["created"],
            api_version=source["api_version"],
            livemode=False,
            received_at=NOW,
        )
        made.append(Record("bench", 0, number, b"k", body_of(source), tuple(headers.to_pairs()), 0))
    return made


def batches(made: list[Record]) -> list[PartitionBatch]:
    return [
        PartitionBatch("bench", 0, tuple(made[start : start + BATCH]))
        for start in range(0, len(made), BATCH)
    ]


async def prepare(server: MariaDbServer, name: str) -> AsyncEngine:
    admin = make_engine(server.admin_url())
    async with admin.connect() as connection:
        await connection.execute(text(f"create database {name}"))
    await admin.dispose()
    await upgrade_database(server.admin_url(name))
    engine = make_engine(server.admin_url(name))
    async with engine.begin() as connection:
        await publish_plan(
            connection,
            code="bench",
            name="Bench",
            description=None,
            provider="stripe",
            provider_price_id="price_bench",
            provider_product_id=None,
            currency="usd",
            unit_amount_minor=1900,
            interval="month",
            interval_count=1,
            entitlements=[],
            now=NOW,
        )
        stamps = {"created_at": NOW, "updated_at": NOW}
        for number in range(CUSTOMERS):
            entity = await connection.execute(
                insert(t.billable_entities).values(
                    entity_type="external", entity_ref=f"e{number}", **stamps
                )
            )
            await connection.execute(
                insert(t.billing_customers).values(
                    billable_entity_id=entity.lastrowid,
                    provider="stripe",
                    provider_customer_id=customer_id(number),
                    **stamps,
                )
            )
    return engine


async def project(engine: AsyncEngine, made: list[Record]) -> float:
    provider = StripeProvider(
        secret_key="sk_test_bench",
        api_version="2026-10-28.endive",
        timeout_seconds=5,
        base_url="http://127.0.0.1:9",  # there are no ties, so it is never asked
    )
    projector = BatchProjector(
        database=Database(engine),
        truth=TruthSource(provider),
        unreadable=UnreadableRecords(
            DeadLetters(DurableProducer("127.0.0.1:9", client_id="bench"))
        ),
        group="bench",
        feed_shards=8,
        on_committed=lambda: None,
    )
    started = time.perf_counter()
    for batch in batches(made):
        await projector.process(batch)
    elapsed = time.perf_counter() - started
    await provider.close()
    return len(made) / elapsed


async def write_bare(engine: AsyncEngine, made: list[Record]) -> float:
    async with engine.connect() as connection:
        owners = {
            row.provider_customer_id: row
            for row in await connection.execute(select(t.billing_customers))
        }
        plan_id = (await connection.execute(select(t.billing_plans.c.id))).scalar_one()
    known: dict[str, int] = {}
    started = time.perf_counter()
    for batch in batches(made):
        sources = [json.loads(record.value or b"") for record in batch.records]
        async with engine.begin() as connection:
            await connection.execute(insert(t.billing_webhook_events), list(map(_event, sources)))
            await _write_objects(connection, sources, owners, plan_id, known)
    return len(made) / (time.perf_counter() - started)


async def _write_objects(
    connection: Any, sources: list[dict[str, Any]], owners: Any, plan_id: int, known: dict[str, int]
) -> None:
    newest = {source["data"]["object"]["id"]: source for source in sources}
    invoices, new, old = [], [], []
    for key, source in newest.items():
        body = source["data"]["object"]
        owner = owners[body["customer"]]
        if body["object"] == "invoice":
            invoices.append(_invoice(body, owner))
        elif key in known:
            old.append(key)
        else:
            known[key] = 1
            new.append(_subscription(body, owner, plan_id))
    if invoices:
        await connection.execute(insert(t.billing_invoices), invoices)
    if new:
        await connection.execute(insert(t.billing_subscriptions), new)
    if old:
        subscriptions = t.billing_subscriptions
        await connection.execute(
            select(subscriptions.c.id)
            .where(subscriptions.c.provider_subscription_id.in_(old))
            .order_by(subscriptions.c.id)
            .with_for_update()
        )
        await connection.execute(
            update(subscriptions)
            .where(subscriptions.c.provider_subscription_id.in_(old))
            .values(status="active", updated_at=NOW, row_version=subscriptions.c.row_version + 1)
        )


def _event(source: dict[str, Any]) -> dict[str, Any]:
    return {
        "provider": "stripe",
        "provider_event_id": source["id"],
        "event_type": source["type"],
        "livemode": False,
        "provider_created_at": NOW,
        "received_at": NOW,
        "status": "processed",
        "created_at": NOW,
        "updated_at": NOW,
    }


def _invoice(body: dict[str, Any], owner: Any) -> dict[str, Any]:
    return {
        "billable_entity_id": owner.billable_entity_id,
        "billing_customer_id": owner.id,
        "provider": "stripe",
        "provider_invoice_id": body["id"],
        "status": body["status"],
        "currency": body["currency"],
        "amount_due_minor": body["amount_due"],
        "amount_paid_minor": body["amount_paid"],
        "amount_remaining_minor": body["amount_remaining"],
        "created_at": NOW,
        "updated_at": NOW,
    }


def _subscription(body: dict[str, Any], owner: Any, plan_id: int) -> dict[str, Any]:
    return {
        "billable_entity_id": owner.billable_entity_id,
        "billing_customer_id": owner.id,
        "plan_id": plan_id,
        "provider": "stripe",
        "provider_subscription_id": body["id"],
        "status": body["status"],
        "provider_subscription_created_at": NOW,
        "is_current": True,
        "created_at": NOW,
        "updated_at": NOW,
    }


async def run(*, rounds: int, count: int, folder: Path) -> None:
    ours, bare = Road("projection, all of it"), Road("bare batch writer", is_limit=True)
    with running_mariadb() as server:
        for number in range(rounds):
            made = records(count, salt=f"r{number}")
            for road, work in ((bare, write_bare), (ours, project)):
                engine = await prepare(server, f"bench_{number}_{road.is_limit:d}")
                road.rates.append(await work(engine, made))
                await engine.dispose()
    report(f"Projection: {count} events, {BATCH} per transaction", [ours, bare], folder=folder)


def main(*, rounds: int, count: int, folder: Path) -> None:
    asyncio.run(run(rounds=rounds, count=count, folder=folder))
