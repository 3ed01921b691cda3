"""The one transaction runner on a real server: retried as a whole, or not stored at all."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from tests.fixtures.databases import Database as ServedDatabase
from tests.integration.storage.scratch_table import count_up, make_scratch, scratch, stored

from billing_common.domain.errors import BugError
from billing_common.messaging.producer import DurableProducer
from billing_common.observability.transaction_guard import NetworkCallInsideTransaction
from billing_common.storage.database_errors import DatabaseUnavailable
from billing_common.storage.engine import make_engine
from billing_common.storage.insert_once import Conflict, Inserted, insert_once
from billing_common.storage.transaction import ATTEMPTS_MAX, Database, WriteConnection
from billing_common.stripe_api.client import StripeProvider

pytestmark = pytest.mark.connected
WAIT_SECONDS = 20


async def test_a_deadlock_reruns_the_whole_closure(each_database: ServedDatabase) -> None:
    database = await make_scratch(each_database)
    attempts: Counter[str] = Counter()
    both_hold_one = asyncio.Barrier(2)

    async def add(connection: WriteConnection, *words: str) -> None:
        for word in words:
            await connection.execute(insert(scratch).values(word=word))

    await database.write(lambda connection: add(connection, "a", "b"), name="seed")

    async def crosswise(first: str, second: str) -> None:
        async def closure(connection: WriteConnection) -> None:
            attempts[first] += 1
            await count_up(connection, first)
            if attempts[first] == 1:
                await both_hold_one.wait()
            await count_up(connection, second)

        await database.write(closure, name=first)

    async with asyncio.timeout(WAIT_SECONDS):
        await asyncio.gather(crosswise("a", "b"), crosswise("b", "a"))

    assert attempts.total() == 3, "one of the two was the victim, once"
    assert await stored(each_database) == {"a": 2, "b": 2}


async def test_a_lock_wait_timeout_reruns_the_closure(database: ServedDatabase) -> None:
    runner = await make_scratch(database)
    attempts = 0

    async def seed(connection: WriteConnection) -> None:
        await connection.execute(insert(scratch).values(word="a"))

    await runner.write(seed, name="seed")
    async with database.engine.connect() as holder:
        held = await holder.begin()
        await count_up(WriteConnection(holder), "a")

        async def closure(connection: WriteConnection) -> None:
            nonlocal attempts
            attempts += 1
            if attempts == 2:
                await held.rollback()
            await connection.execute(text("SET innodb_lock_wait_timeout = 1"))
            await count_up(connection, "a")

        async with asyncio.timeout(WAIT_SECONDS):
            await runner.write(closure, name="waits")
    assert attempts == 2
    assert await stored(database) == {"a": 1}


async def test_an_error_of_the_closure_leaves_nothing(database: ServedDatabase) -> None:
    runner = await make_scratch(database)

    async def closure(connection: WriteConnection) -> None:
        await connection.execute(insert(scratch).values(word="a"))
        raise ValueError("the decision says no")

    with pytest.raises(ValueError, match="says no"):
        await runner.write(closure, name="refused")
    assert await stored(database) == {}


async def test_a_refused_statement_is_not_retried(database: ServedDatabase) -> None:
    runner = await make_scratch(database)
    attempts = 0

    async def closure(connection: WriteConnection) -> None:
        nonlocal attempts
        attempts += 1
        await connection.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(DBAPIError):
        await runner.write(closure, name="wrong")
    assert attempts == 1


async def test_a_cancelled_closure_leaves_nothing_and_no_lock(database: ServedDatabase) -> None:
    runner = await make_scratch(database)
    has_inserted = asyncio.Event()

    async def waits_for_ever(connection: WriteConnection) -> None:
        await connection.execute(insert(scratch).values(word="a"))
        has_inserted.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(runner.write(waits_for_ever, name="cancelled"))
    async with asyncio.timeout(WAIT_SECONDS):
        await has_inserted.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        async def inserts_the_same(connection: WriteConnection) -> None:
            await connection.execute(insert(scratch).values(word="a"))

        await runner.write(inserts_the_same, name="after")
    assert await stored(database) == {"a": 0}


async def test_transactions_do_not_nest(database: ServedDatabase) -> None:
    """A second connection inside would wait for the locks of the first."""
    runner = await make_scratch(database)

    async def inner(connection: WriteConnection) -> None:
        await connection.execute(insert(scratch).values(word="inner"))

    async def writes_inside(connection: WriteConnection) -> None:
        await connection.execute(insert(scratch).values(word="outer"))
        await runner.write(inner, name="inner")

    async def reads_inside(connection: WriteConnection) -> None:
        await connection.execute(insert(scratch).values(word="outer"))
        async with runner.read(name="inner"):
            pass

    for closure in (writes_inside, reads_inside):
        with pytest.raises(BugError, match="inner"):
            await runner.write(closure, name="outer")
    async with runner.read(name="outer"):
        with pytest.raises(BugError, match="inner"):
            await runner.write(inner, name="inner")
    assert await stored(database) == {}


# A port that nothing listens on: a call that left the process would fail in another way.
NOWHERE = "http://127.0.0.1:9"


@pytest.mark.requirement("CHK-01")
async def test_a_provider_call_inside_a_transaction_raises(database: ServedDatabase) -> None:
    runner = await make_scratch(database)
    provider = StripeProvider(
        secret_key="sk_test_nowhere",
        api_version="2026-10-28.endive",
        timeout_seconds=1,
        base_url=NOWHERE,
    )

    async def closure(connection: WriteConnection) -> None:
        await connection.execute(insert(scratch).values(word="a"))
        await provider.create_customer({}, idempotency_key="k")

    with pytest.raises(NetworkCallInsideTransaction, match="sells"):
        await runner.write(closure, name="sells")
    async with runner.read(name="looks"):
        with pytest.raises(NetworkCallInsideTransaction, match="looks"):
            await provider.retrieve_subscription("sub_1")
    await provider.close()
    assert await stored(database) == {}


@pytest.mark.requirement("CHK-01")
async def test_a_message_sent_inside_a_transaction_raises(database: ServedDatabase) -> None:
    runner = await make_scratch(database)
    producer = DurableProducer("127.0.0.1:9", client_id="test")

    async def closure(connection: WriteConnection) -> None:
        await connection.execute(insert(scratch).values(word="a"))
        await producer.send("t", key=None, value=b"x", timeout_seconds=1)

    with pytest.raises(NetworkCallInsideTransaction, match="tells"):
        await runner.write(closure, name="tells")
    await producer.stop()
    assert await stored(database) == {}


async def test_a_server_that_is_away_is_said_so_and_nothing_runs() -> None:
    engine = make_engine("mysql+asyncmy://u:p@127.0.0.1:9/nothing")
    runs = 0

    async def closure(_connection: WriteConnection) -> None:
        nonlocal runs
        runs += 1

    runner = Database(engine)
    with pytest.raises(DatabaseUnavailable):
        await runner.write(closure, name="nobody_there")
    with pytest.raises(DatabaseUnavailable):
        async with runner.read(name="nobody_there"):
            pass
    await runner.close()
    assert runs == 0
    assert ATTEMPTS_MAX > 1


EXPECTED = frozenset({"uq_scratch_word"})


async def test_the_second_insert_is_told_and_the_transaction_goes_on(
    each_database: ServedDatabase,
) -> None:
    runner = await make_scratch(each_database)

    async def closure(connection: WriteConnection) -> list[Inserted | Conflict]:
        return [
            await insert_once(connection, scratch, {"word": word}, expected_conflicts=EXPECTED)
            for word in ("a", "a", "b")
        ]

    first, second, third = await runner.write(closure, name="twice")
    assert isinstance(first, Inserted)
    assert first.id > 0
    assert second == Conflict("uq_scratch_word")
    assert isinstance(third, Inserted)
    assert await stored(each_database) == {"a": 0, "b": 0}


async def test_a_duplicate_under_another_key_is_an_error(each_database: ServedDatabase) -> None:
    """An upsert, or INSERT IGNORE, would have called this the same row."""
    runner = await make_scratch(each_database)

    async def closure(connection: WriteConnection) -> None:
        for word in ("a", "b"):
            await insert_once(
                connection, scratch, {"word": word, "other": "x"}, expected_conflicts=EXPECTED
            )

    with pytest.raises(IntegrityError):
        await runner.write(closure, name="other_key")
    assert await stored(each_database) == {}


async def test_many_writers_of_one_row_leave_one(database: ServedDatabase) -> None:
    runner = await make_scratch(database)

    async def closure(connection: WriteConnection) -> Inserted | Conflict:
        return await insert_once(connection, scratch, {"word": "a"}, expected_conflicts=EXPECTED)

    async with asyncio.timeout(WAIT_SECONDS):
        outcomes = await asyncio.gather(
            *(runner.write(closure, name=f"writer_{number}") for number in range(20))
        )
    assert sum(isinstance(outcome, Inserted) for outcome in outcomes) == 1
    assert await stored(database) == {"a": 0}
