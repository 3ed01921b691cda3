"""Whoever held a lease before changes nothing: every statement of the code, tried by a zombie."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import insert, select, update
from tests.fixtures.databases import Database
from tests.integration.checkout.desk import Desk, make_desk
from tests.races.fenced_statements import leased_writes

from billing_common.domain.idempotency import OperationStatus
from billing_common.storage import feed_outbox
from billing_common.storage.entity_locks import lock_operations
from billing_common.storage.tables import (
    billing_feed_outbox,
    billing_reconciliation_runs,
    billing_relay_leases,
    billing_request_idempotency,
)
from billing_common.storage.transaction import Database as Transactions
from billing_common.storage.transaction import WriteConnection
from checkout.repository import operations
from projection.repository import sessions as projected
from reconciler.repository import runs
from stripe_double.testing import RunningDouble

pytestmark = pytest.mark.connected

# (connection, the version that is believed to be held) -> whether it claims to have written
Statement = Callable[[WriteConnection, int], Awaitable[bool | None]]
LEASE: Final = timedelta(seconds=30)
HOLDER: Final = "the holder"


async def _operation_id(connection: WriteConnection) -> int:
    found = await connection.execute(select(billing_request_idempotency.c.id))
    return int(found.scalar_one())


async def _take_lease(connection: WriteConnection, version: int) -> bool:
    return await operations.take_lease(
        connection,
        row_id=await _operation_id(connection),
        from_version=version,
        owner=HOLDER,
        expires_at=datetime.now(UTC) + LEASE,
        now=datetime.now(UTC),
    )


async def _next_provider_key(connection: WriteConnection, version: int) -> bool:
    return await operations.next_provider_key(
        connection,
        row_id=await _operation_id(connection),
        lease_version=version,
        from_attempt=1,
        provider_idempotency_key="2" * 64,
        now=datetime.now(UTC),
    )


async def _finish(connection: WriteConnection, version: int) -> bool:
    return await operations.finish(
        connection,
        row_id=await _operation_id(connection),
        lease_version=version,
        ending=operations.Ending(
            status=OperationStatus.FAILED,
            provider_session_id=None,
            response_status=502,
            response_body="{}",
            failure_code="checkout_provider_error",
            failure_reason="tried by a zombie",
        ),
        now=datetime.now(UTC),
    )


async def _finish_from_an_event(connection: WriteConnection, version: int) -> bool:

    (row,) = await lock_operations(connection, row_ids=[await _operation_id(connection)])
    ended = replace(
        row,
        status=OperationStatus.EXPIRED,
        lease_version=row.lease_version + 1,
        response_status=409,
        response_body=b"{}",
        failure_code="checkout_recovery_window_elapsed",
    )
    return await projected.finish_operation(
        connection, replace(row, lease_version=version), ended, now=datetime.now(UTC)
    )


async def _run(connection: WriteConnection, version: int) -> runs.LeasedRun:
    found = await connection.execute(select(billing_reconciliation_runs.c.id))
    return runs.LeasedRun(int(found.scalar_one()), "expired_leases", version)


async def _renew_run(connection: WriteConnection, version: int) -> bool:
    return await runs.renew(connection, await _run(connection, version), lease=LEASE)


async def _finish_run(connection: WriteConnection, version: int) -> bool:
    return await runs.finish(
        connection,
        await _run(connection, version),
        succeeded=True,
        counts=runs.RunCounts(),
        error_text=None,
    )


async def _release_shard(connection: WriteConnection, version: int) -> None:
    await feed_outbox.release_shard(connection, feed_outbox.ShardLease(0, version), owner=HOLDER)


async def _remove_published(connection: WriteConnection, version: int) -> bool:
    found = await connection.execute(select(billing_feed_outbox.c.id))
    return await feed_outbox.remove_published(
        connection,
        feed_outbox.ShardLease(0, version),
        owner=HOLDER,
        message_ids=list(found.scalars()),
    )


FENCED: Final[dict[str, Statement]] = {
    "checkout.repository.operations.take_lease": _take_lease,
    "checkout.repository.operations.next_provider_key": _next_provider_key,
    "checkout.repository.operations.finish": _finish,
    "projection.repository.sessions.finish_operation": _finish_from_an_event,
    "reconciler.repository.runs.renew": _renew_run,
    "reconciler.repository.runs.finish": _finish_run,
    "billing_common.storage.feed_outbox.release_shard": _release_shard,
    "billing_common.storage.feed_outbox.remove_published": _remove_published,
}
# Writes to leased rows that compare no version, and why they need not.
UNFENCED: Final = {
    "checkout.repository.operations.freeze_request": "in the transaction that inserts the row",
    "billing_common.storage.feed_outbox.claim_shard": "takes the lease, under the row's lock",
    "reconciler.repository.runs.acquire": "takes the lease, under the row's lock",
    "projection.repository.set_writes.update_rows": "any table; its callers are looked at",
}


def test_every_write_to_a_leased_row_is_known() -> None:
    assert leased_writes().keys() == FENCED.keys() | UNFENCED.keys()
    assert not FENCED.keys() & UNFENCED.keys()


@pytest.fixture
async def desk(database: Database, stripe_double: RunningDouble) -> AsyncIterator[Desk]:
    """An operation, a run, a shard and a message, all leased at version 7 by the holder."""
    desk = await make_desk(database, stripe_double)
    desk.fault("rate_limit")
    await desk.checkout("click-1")
    now = datetime.now(UTC)
    leased = {"lease_version": 7, "lease_expires_at": now + LEASE}
    async with database.engine.begin() as connection:
        await connection.execute(update(billing_request_idempotency).values(lease_version=7))
        await connection.execute(
            insert(billing_reconciliation_runs).values(
                provider="stripe",
                scope="expired_leases",
                status="running",
                runner_id=HOLDER,
                started_at=now,
                created_at=now,
                updated_at=now,
                **leased,
            )
        )
        await connection.execute(
            insert(billing_relay_leases).values(name="feed:0", lease_owner=HOLDER, **leased)
        )
        await connection.execute(
            insert(billing_feed_outbox).values(
                shard=0,
                billable_entity_id=desk.entity_id,
                topic="changes",
                message_key="k",
                payload=b"{}",
                created_at=now,
            )
        )
    yield desk
    await desk.close()


async def everything(desk: Desk) -> list[Any]:
    tables = (
        billing_request_idempotency,
        billing_reconciliation_runs,
        billing_relay_leases,
        billing_feed_outbox,
    )
    async with desk.test_database.engine.connect() as connection:
        return [list((await connection.execute(select(table))).all()) for table in tables]


@pytest.mark.requirement("IDEM-10")
@pytest.mark.parametrize("name", FENCED)
async def test_a_zombie_changes_nothing(desk: Desk, name: str) -> None:
    database, before = Transactions(desk.test_database.engine), await everything(desk)

    for version in (6, 1, 8):  # overtaken, long ago, and a version that nobody has been given
        said = await database.write(lambda c, v=version: FENCED[name](c, v), name="zombie")

        assert not said, f"version {version}"
        assert await everything(desk) == before, f"version {version}"


@pytest.mark.requirement("IDEM-10")
@pytest.mark.parametrize("name", FENCED)
async def test_the_holder_does(desk: Desk, name: str) -> None:
    """Else the test above would prove nothing."""
    before = await everything(desk)

    said = await Transactions(desk.test_database.engine).write(
        lambda connection: FENCED[name](connection, 7), name="holder"
    )

    assert said in (True, None)
    assert await everything(desk) != before


@pytest.mark.requirement("IDEM-10")
async def test_the_same_host_that_takes_the_lease_again_is_fenced_from_its_past(
    desk: Desk,
) -> None:
    """ABA: the owner's name is the same, the version is not."""
    database = Transactions(desk.test_database.engine)
    assert await database.write(lambda c: _take_lease(c, 7), name="again")
    before = await everything(desk)

    assert not await database.write(lambda c: _finish(c, 7), name="zombie")

    assert await everything(desk) == before
