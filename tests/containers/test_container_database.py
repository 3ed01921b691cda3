"""The database that docker-compose.yml configures is one that the services accept."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from tests.fixtures.databases import MigratedServer

from billing_common.storage.database_errors import error_number
from billing_common.storage.insert_once import Conflict, Inserted, insert_once
from billing_common.storage.migrate import current_revision, head
from billing_common.storage.server_checks import assert_server_is_safe
from billing_common.storage.tables.identity import identity_users
from billing_common.storage.transaction import Database as Transactions

_KEY = "uq_identity_users_external_id"
_NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)

pytestmark = [pytest.mark.connected, pytest.mark.containers]


async def test_the_services_accept_the_server_as_production(migrated_container):
    migrated = await migrated_container.empty_database()
    assert await current_revision(migrated.url) is None
    fresh = await migrated_container.fresh_database()

    facts = await assert_server_is_safe(fresh.engine, production=True)

    assert facts.product in migrated_container.server.description
    assert facts.binary_log_is_on
    assert facts.schema_revision == head()
    await fresh.dispose()


async def test_of_two_users_with_one_external_id_the_key_lets_one_in(container_schema):
    transactions = Transactions(container_schema.engine)

    async def enter(external_id):
        return await transactions.write(
            lambda connection: insert_once(
                connection,
                identity_users,
                {"external_id": external_id, "created_at": _NOW, "updated_at": _NOW},
                expected_conflicts=frozenset({_KEY}),
            ),
            name="test.enter_user",
        )

    outcomes = await asyncio.gather(*(enter("usr_1") for _ in range(8)), enter("USR_1"))

    assert sum(isinstance(outcome, Inserted) for outcome in outcomes) == 2  # case matters
    assert outcomes.count(Conflict(_KEY)) == 7
    rows = await container_schema.execute_admin("SELECT external_id FROM identity_users ORDER BY 1")
    assert rows == [(b"USR_1",), (b"usr_1",)]


async def test_a_locked_row_is_skipped_and_a_waiter_loses_its_whole_transaction(container_schema):
    await container_schema.execute_admin(_insert("usr_1"))
    await container_schema.execute_admin(_insert("usr_2"))
    engine = container_schema.engine
    async with engine.connect() as holder, engine.connect() as other, holder.begin():
        await holder.execute(_ids("WHERE external_id = 'usr_1' FOR UPDATE"))

        async with other.begin():
            seen = await other.execute(_ids("ORDER BY id FOR UPDATE SKIP LOCKED"))
            assert seen.scalars().all() == [b"usr_2"]

        await other.execute(text("SET innodb_lock_wait_timeout = 1"))
        await other.rollback()
        await other.execute(text(_insert("usr_3")))
        with pytest.raises(OperationalError) as refused:
            await other.execute(_ids("WHERE external_id = 'usr_1' FOR UPDATE"))
        assert error_number(refused.value) == 1205
        # innodb_rollback_on_timeout: the insert before the wait is gone as well.
        await other.commit()
    assert await container_schema.execute_admin(
        "SELECT count(*) FROM identity_users WHERE external_id = 'usr_3'"
    ) == [(0,)]


async def test_a_committed_row_survives_kill_9_of_the_container(container_database):
    own = type(container_database)(container_database.image)
    await asyncio.to_thread(own.start)
    try:
        database = await MigratedServer(own).fresh_database()
        await database.execute_admin(_insert("usr_1"))
        await database.kill_server()
        assert not own.is_running()
        await database.start_server()
        assert await database.execute_admin("SELECT external_id FROM identity_users") == [
            (b"usr_1",)
        ]
    finally:
        await asyncio.to_thread(own.kill)


def _insert(external_id):
    columns = "external_id, created_at, updated_at"
    return f"INSERT INTO identity_users ({columns}) VALUES ('{external_id}', now(6), now(6))"


def _ids(rest):
    return text(f"SELECT external_id FROM identity_users {rest}")
