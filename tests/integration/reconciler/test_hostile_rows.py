"""One row that cannot be dealt with holds up neither its page, nor its scope, nor the loop."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.fixtures.backend import KafkaBroker
from tests.fixtures.databases import Database as OwnDatabase
from tests.integration.reconciler.test_scopes import failed_events, read_all

from billing_common.contracts.topics import STRIPE_EVENTS, TopicNames
from billing_common.messaging.producer import DurableProducer
from billing_common.storage.tables import (
    billable_entities,
    billing_reconciliation_runs,
    billing_request_idempotency,
    billing_webhook_events,
)
from billing_common.storage.transaction import Database
from reconciler.decisions.scopes import POLICIES, Scope, ScopePolicy
from reconciler.handlers.expired_leases import ExpiredLeases
from reconciler.handlers.leased_runs import LeasedRuns, RunHandle
from reconciler.jobs import ReconcilerLoop
from reconciler.repository.failed_events import claim_due, mark_dead_letter
from reconciler.repository.runs import RunCounts

pytestmark = pytest.mark.connected
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

# Payload and partition of a failed event.
HOSTILE: list[tuple[bytes, int | None]] = [
    (b'{"data": {"object": {"id": "sub_1", "customer": "\\ud800"}}}', 0),
    (b'{"data": {"object": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", 0),
    (b'{"data": {"object": []}}', 0),
    (b'{"data": []}', 0),
    (b"not json", 0),
    (b'{"data": {"object": {"id": 7}}}', None),
    (json.dumps({"data": {"object": {"id": "sub_1", "customer": "c"}}}).encode(), 999),
]


async def store_failed_events(engine: AsyncEngine, events: list[tuple[bytes, int | None]]) -> None:
    async with engine.begin() as connection:
        for number, (payload, partition) in enumerate(events):
            await connection.execute(
                insert(billing_webhook_events).values(
                    provider="stripe",
                    provider_event_id=f"evt_{number}",
                    event_type="customer.subscription.updated",
                    livemode=False,
                    provider_created_at=NOW,
                    received_at=NOW,
                    status="failed",
                    outcome_code="price_unknown",
                    attempt_count=1,
                    next_attempt_at=NOW + timedelta(seconds=number),
                    kafka_topic="t",
                    kafka_partition=partition,
                    kafka_offset=number,
                    payload=payload,
                    created_at=NOW,
                    updated_at=NOW,
                )
            )


async def stalled_operations(engine: AsyncEngine, count: int) -> None:
    async with engine.begin() as connection:
        for number in range(count):
            entity = await connection.execute(
                insert(billable_entities).values(
                    entity_type="external",
                    entity_ref=f"e{number}",
                    created_at=NOW,
                    updated_at=NOW,
                )
            )
            await connection.execute(
                insert(billing_request_idempotency).values(
                    billable_entity_id=entity.lastrowid,
                    action="checkout",
                    flow="subscription",
                    client_idempotency_key="key",
                    request_fingerprint_hash="f" * 64,
                    normalized_request_json={},
                    operation_key=f"{number:064}",
                    provider="stripe",
                    provider_idempotency_key=f"{number:064}",
                    status="pending",
                    # The first has no lease at all: it is nobody's as well.
                    lease_owner="dead-worker" if number else None,
                    pending_lease_expires_at=NOW + timedelta(seconds=number) if number else None,
                    created_at=NOW,
                    updated_at=NOW,
                )
            )


def expired_leases(database: OwnDatabase, producer: DurableProducer, prefix: str) -> ExpiredLeases:
    return ExpiredLeases(
        database=Database(database.engine),
        producer=producer,
        names=TopicNames(prefix),
        runner_id="r",
        clock=lambda: datetime.now(UTC),
    )


@pytest.mark.requirement("EVT-13")
async def test_a_hostile_payload_does_not_hold_up_the_events_behind_it(
    database: OwnDatabase,
    producer: DurableProducer,
    kafka_server: KafkaBroker,
    prefixed_topics: str,
) -> None:
    good = json.dumps({"data": {"object": {"id": "sub_9", "customer": "cus_9"}}}).encode()
    await store_failed_events(database.engine, [*HOSTILE, (good, 2)])
    names = TopicNames(prefixed_topics)
    scope = failed_events(database.engine, producer, names)
    runs = LeasedRuns(database=Database(database.engine), runner_id="r")
    counts = await runs.run(Scope.FAILED_EVENTS, scope.work)
    # Partition 999 does not exist: that one stays failed, for an operator to see.
    assert counts == RunCounts(scanned=8, drift_detected=8, repaired=7)
    records = await read_all(kafka_server, names.of(STRIPE_EVENTS))
    assert (good, b"cus_9", 2) in {(r.value, r.key, r.partition) for r in records}
    assert len(records) == 7


@pytest.mark.requirement("REC-01")
async def test_a_scope_that_fails_does_not_keep_the_others_from_theirs(
    database: OwnDatabase,
    producer: DurableProducer,
    kafka_server: KafkaBroker,
    prefixed_topics: str,
) -> None:
    await stalled_operations(database.engine, 1)
    await store_failed_events(database.engine, [(b'{"data": {"object": {"id": "sub_1"}}}', 0)])
    names = TopicNames(prefixed_topics)
    nowhere = DurableProducer("127.0.0.1:1", client_id="test-nowhere")
    loop = ReconcilerLoop(
        runs=LeasedRuns(database=Database(database.engine), runner_id="r"),
        expired_leases=expired_leases(database, nowhere, prefixed_topics),
        failed_events=failed_events(database.engine, producer, names),
        poll_seconds=1,
        now_seconds=time.monotonic,
    )
    try:
        await loop.run_once()
    finally:
        await nowhere.stop()
    assert len(await read_all(kafka_server, names.of(STRIPE_EVENTS))) == 1
    async with database.engine.connect() as connection:
        runs = (await connection.execute(select(billing_reconciliation_runs))).all()
    assert {(run.scope, run.status, run.error_text) for run in runs} == {
        ("expired_leases", "failed", "broker_unavailable"),
        ("failed_events", "succeeded", None),
    }


async def test_a_run_that_hits_a_defect_ends_as_failed(database: OwnDatabase) -> None:
    runs = LeasedRuns(database=Database(database.engine), runner_id="r")

    async def broken(_handle: RunHandle) -> RunCounts:
        raise ZeroDivisionError("a defect")

    with pytest.raises(ZeroDivisionError):
        await runs.run(Scope.FAILED_EVENTS, broken)
    async with database.engine.connect() as connection:
        row = (await connection.execute(select(billing_reconciliation_runs))).one()
    assert (row.status, row.error_text) == ("failed", "ZeroDivisionError")


@pytest.mark.requirement("REC-02")
async def test_operations_that_stay_stalled_do_not_starve_those_behind_them(
    database: OwnDatabase,
    producer: DurableProducer,
    prefixed_topics: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(POLICIES, Scope.EXPIRED_LEASES, ScopePolicy(2, timedelta(seconds=30)))
    await stalled_operations(database.engine, 5)
    scope = expired_leases(database, producer, prefixed_topics)
    runs = LeasedRuns(database=Database(database.engine), runner_id="r")
    asked: list[int] = []
    for _ in range(3):
        asked += [operation.row_id for operation in await scope.find_due()]
        await runs.run(Scope.EXPIRED_LEASES, scope.work)
    assert len(asked) == len(set(asked)) == 5


@pytest.mark.requirement("EVT-13")
@pytest.mark.parametrize("meanwhile", ["attempt_count = 9", "status = 'processed'"])
async def test_an_event_that_projection_has_just_tried_is_not_marked_as_given_up(
    database: OwnDatabase, meanwhile: str
) -> None:
    await store_failed_events(database.engine, [(b"{}", 0)])
    through = Database(database.engine)
    [event] = await through.write(
        lambda connection: claim_due(connection, limit=1, claim=timedelta(minutes=1)), name="claim"
    )
    async with database.engine.begin() as connection:
        await connection.execute(text(f"update billing_webhook_events set {meanwhile}"))
    assert not await through.write(
        lambda connection: mark_dead_letter(connection, event), name="mark"
    )
    async with database.engine.connect() as connection:
        status = await connection.execute(select(billing_webhook_events.c.status))
        assert status.scalar_one() != "dead_letter"
