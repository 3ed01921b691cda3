"""What a look of reconciler leads to: commands, events sent round again, dead letters, runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.fixtures.backend import KafkaBroker
from tests.fixtures.databases import Database as OwnDatabase

from billing_common.contracts.commands import Command, RecoverOperation
from billing_common.contracts.stripe_event_headers import StripeEventHeaders
from billing_common.contracts.topics import COMMANDS, STRIPE_EVENTS, TopicNames
from billing_common.domain.errors import TransientError
from billing_common.messaging.dead_letters import REASON, DeadLetters
from billing_common.messaging.producer import DurableProducer
from billing_common.storage.tables import (
    billable_entities,
    billing_reconciliation_runs,
    billing_request_idempotency,
    billing_webhook_events,
)
from billing_common.storage.transaction import Database
from reconciler.decisions.scopes import Scope
from reconciler.handlers.expired_leases import ExpiredLeases
from reconciler.handlers.failed_events import FailedEvents
from reconciler.handlers.leased_runs import LeasedRuns, RunHandle
from reconciler.repository.runs import RunCounts

pytestmark = pytest.mark.connected
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


async def read_all(kafka: KafkaBroker, topic: str) -> list[Any]:
    """Everything that stands in the topic now."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        found: list[Any] = []
        while sum(ends.values()) > len(found):
            batch = await consumer.getmany(timeout_ms=500)
            found += [record for records in batch.values() for record in records]
        return found
    finally:
        await consumer.stop()


async def pending_operation(engine: AsyncEngine, *, lease_ends: datetime) -> int:
    async with engine.begin() as connection:
        entity = await connection.execute(
            insert(billable_entities).values(
                entity_type="external", entity_ref="acme", created_at=NOW, updated_at=NOW
            )
        )
        row = await connection.execute(
            insert(billing_request_idempotency).values(
                billable_entity_id=entity.lastrowid,
                action="checkout",
                flow="subscription",
                client_idempotency_key="key",
                request_fingerprint_hash="f" * 64,
                normalized_request_json={},
                operation_key="o" * 64,
                provider="stripe",
                provider_idempotency_key="p" * 64,
                status="pending",
                lease_owner="dead-worker",
                pending_lease_expires_at=lease_ends,
                created_at=NOW,
                updated_at=NOW,
            )
        )
    return int(row.lastrowid)


async def failed_event(engine: AsyncEngine, *, attempts: int) -> bytes:
    payload = json.dumps(
        {"id": "evt_1", "data": {"object": {"id": "sub_1", "customer": "cus_1"}}}
    ).encode()
    async with engine.begin() as connection:
        await connection.execute(
            insert(billing_webhook_events).values(
                provider="stripe",
                provider_event_id="evt_1",
                event_type="customer.subscription.updated",
                livemode=False,
                provider_created_at=NOW,
                received_at=NOW,
                status="failed",
                outcome_code="price_unknown",
                attempt_count=attempts,
                next_attempt_at=NOW,
                kafka_topic="t",
                kafka_partition=3,
                kafka_offset=0,
                payload=payload,
                created_at=NOW,
                updated_at=NOW,
            )
        )
    return payload


def failed_events(
    engine: AsyncEngine, producer: DurableProducer, names: TopicNames
) -> FailedEvents:
    return FailedEvents(
        database=Database(engine),
        producer=producer,
        dead_letters=DeadLetters(producer),
        names=names,
        attempts_max=8,
    )


@pytest.mark.requirement("REC-02")
@pytest.mark.requirement("IDEM-11")
async def test_an_operation_whose_lease_ended_becomes_a_recovery_command(
    database: OwnDatabase,
    producer: DurableProducer,
    kafka_server: KafkaBroker,
    prefixed_topics: str,
) -> None:
    names = TopicNames(prefixed_topics)
    row_id = await pending_operation(
        database.engine, lease_ends=datetime.now(UTC) - timedelta(seconds=1)
    )
    leases = ExpiredLeases(
        database=Database(database.engine),
        producer=producer,
        names=names,
        runner_id="r",
        clock=lambda: datetime.now(UTC),
    )
    runs = LeasedRuns(database=Database(database.engine), runner_id="r")
    assert len(await leases.find_due()) == 1
    await runs.run(Scope.EXPIRED_LEASES, leases.work)
    [record] = await read_all(kafka_server, names.of(COMMANDS))
    command = Command.from_bytes(record.value)
    assert command.payload == RecoverOperation(idempotency_row_id=row_id)
    assert record.key == str(command.billable_entity_id).encode()
    # Asked a moment ago: not again at every look.
    assert await leases.find_due() == []
    async with database.engine.connect() as connection:
        run = (await connection.execute(select(billing_reconciliation_runs))).one()
    assert (run.status, run.repaired_count) == ("succeeded", 1)


@pytest.mark.requirement("REC-02")
async def test_an_operation_that_is_leased_is_left_alone(
    database: OwnDatabase, producer: DurableProducer
) -> None:
    await pending_operation(database.engine, lease_ends=datetime.now(UTC) + timedelta(minutes=1))
    leases = ExpiredLeases(
        database=Database(database.engine),
        producer=producer,
        names=TopicNames("unused."),
        runner_id="r",
        clock=lambda: datetime.now(UTC),
    )
    assert await leases.find_due() == []


@pytest.mark.requirement("EVT-13")
async def test_a_failed_event_goes_round_again_with_its_bytes_and_partition(
    database: OwnDatabase,
    producer: DurableProducer,
    kafka_server: KafkaBroker,
    prefixed_topics: str,
) -> None:
    names = TopicNames(prefixed_topics)
    payload = await failed_event(database.engine, attempts=2)
    scope = failed_events(database.engine, producer, names)
    assert await scope.count_due() == 1
    runs = LeasedRuns(database=Database(database.engine), runner_id="r")
    await runs.run(Scope.FAILED_EVENTS, scope.work)
    [record] = await read_all(kafka_server, names.of(STRIPE_EVENTS))
    assert (record.value, record.partition, record.key) == (payload, 3, b"cus_1")
    assert StripeEventHeaders.from_pairs(record.headers).retry_attempt == 3
    assert await scope.count_due() == 0  # claimed: not sent twice


@pytest.mark.requirement("EVT-13")
async def test_an_event_out_of_attempts_becomes_a_dead_letter_with_its_bytes(
    database: OwnDatabase,
    producer: DurableProducer,
    kafka_server: KafkaBroker,
    prefixed_topics: str,
) -> None:
    names = TopicNames(prefixed_topics)
    payload = await failed_event(database.engine, attempts=8)
    scope = failed_events(database.engine, producer, names)
    runs = LeasedRuns(database=Database(database.engine), runner_id="r")
    await runs.run(Scope.FAILED_EVENTS, scope.work)
    [record] = await read_all(kafka_server, names.dead_letter_of(STRIPE_EVENTS))
    assert record.value == payload
    assert dict(record.headers)[REASON] == b"price_unknown"
    async with database.engine.connect() as connection:
        row = (await connection.execute(select(billing_webhook_events))).one()
    assert row.status == "dead_letter"
    assert await read_all(kafka_server, names.of(STRIPE_EVENTS)) == []


@pytest.mark.requirement("REC-01")
async def test_one_run_per_scope_and_a_fenced_runner_writes_nothing(
    database: OwnDatabase,
) -> None:
    first = LeasedRuns(database=Database(database.engine), runner_id="first")
    second = LeasedRuns(database=Database(database.engine), runner_id="second")

    async def overtaken(handle: RunHandle) -> RunCounts:
        async def nothing(_handle: RunHandle) -> RunCounts:
            return RunCounts()

        assert await second.run(Scope.FAILED_EVENTS, nothing) is None
        async with database.engine.begin() as connection:
            await connection.execute(
                text(
                    "update billing_reconciliation_runs "
                    "set lease_expires_at = utc_timestamp(6) - interval 1 second"
                )
            )

        async def during(_handle: RunHandle) -> RunCounts:
            with pytest.raises(TransientError):
                await handle.renew()
            return RunCounts(scanned=7)

        await second.run(Scope.FAILED_EVENTS, during)
        return RunCounts(scanned=1)

    await first.run(Scope.FAILED_EVENTS, overtaken)
    async with database.engine.connect() as connection:
        rows = (await connection.execute(select(billing_reconciliation_runs))).all()
    assert [(row.runner_id, row.status, row.scanned_count) for row in rows] == [
        ("second", "succeeded", 7)
    ]
