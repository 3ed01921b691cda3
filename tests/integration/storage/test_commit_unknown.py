"""A COMMIT whose answer is lost: neither "stored" nor "not stored", until somebody reads again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import insert
from sqlalchemy.engine import make_url
from tests.fixtures.databases import Database as ServedDatabase
from tests.fixtures.fault_proxy import FaultProxy, MakeFaultProxy
from tests.integration.storage.scratch_table import make_scratch, scratch, stored

from billing_common.storage.database_errors import CommitOutcomeUnknown, DatabaseUnavailable
from billing_common.storage.engine import make_engine
from billing_common.storage.transaction import Database, WriteConnection

pytestmark = pytest.mark.connected

# Long enough to look at the row while the answer is under way, short of the driver's own limit.
ANSWER_DELAY_SECONDS = 3.0
DEADLINE_SECONDS = 20.0


@pytest.fixture
async def proxy(database: ServedDatabase, fault_proxy: MakeFaultProxy) -> FaultProxy:
    await make_scratch(database)
    port = make_url(database.url).port
    assert port is not None
    return await fault_proxy(port)


@pytest.fixture
async def runner(database: ServedDatabase, proxy: FaultProxy) -> AsyncIterator[Database]:
    """Transactions whose connections go through the proxy."""
    url = make_url(database.url).set(host="127.0.0.1", port=proxy.port)
    found = Database(make_engine(url.render_as_string(hide_password=False)))
    yield found
    await found.close()


async def _poll_stored(database: ServedDatabase, expected: dict[str, int]) -> None:
    deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
    while (found := await stored(database)) != expected:
        assert asyncio.get_running_loop().time() < deadline, found
        await asyncio.sleep(0.02)


async def test_a_commit_that_was_executed_is_unknown(
    database: ServedDatabase, proxy: FaultProxy, runner: Database
) -> None:
    """The row is there although the caller was never told."""

    async def closure(connection: WriteConnection) -> None:
        await connection.execute(insert(scratch).values(word="a"))
        proxy.latency_seconds = ANSWER_DELAY_SECONDS

    writing = asyncio.create_task(runner.write(closure, name="lost_answer"))
    await _poll_stored(database, {"a": 0})
    proxy.cut()
    with pytest.raises(CommitOutcomeUnknown):
        await writing
    proxy.restore()
    assert await stored(database) == {"a": 0}


async def test_a_commit_that_never_arrived_is_unknown_too(
    database: ServedDatabase, proxy: FaultProxy, runner: Database
) -> None:
    """To the caller it looks the same: only reading again tells them apart."""
    runs = 0

    async def closure(connection: WriteConnection) -> None:
        nonlocal runs
        runs += 1
        await connection.execute(insert(scratch).values(word="a"))
        proxy.cut()

    with pytest.raises(CommitOutcomeUnknown):
        await runner.write(closure, name="lost_commit")
    assert runs == 1, "an unknown outcome is never repeated by the runner"
    assert await stored(database) == {}


async def test_a_connection_lost_before_the_commit_stored_nothing(
    database: ServedDatabase, proxy: FaultProxy, runner: Database
) -> None:
    async def closure(connection: WriteConnection) -> None:
        await connection.execute(insert(scratch).values(word="a"))
        proxy.cut()
        await connection.execute(insert(scratch).values(word="b"))

    with pytest.raises(DatabaseUnavailable):
        await runner.write(closure, name="lost_statement")
    await _poll_stored(database, {})

    async def again(connection: WriteConnection) -> None:
        await connection.execute(insert(scratch).values(word="a"))

    await runner.write(again, name="again")
    assert await stored(database) == {"a": 0}
