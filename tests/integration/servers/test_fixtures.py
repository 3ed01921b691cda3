"""The fixtures of the suite do what they promise."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import text
from tests.fixtures.schema_template import admin_connection, read_template, run_sql

from billing_common.contracts.topics import ALL_TOPICS
from billing_common.storage.migrate import upgrade

pytestmark = pytest.mark.connected


async def test_a_fresh_database_has_the_migrated_tables_and_only_their_rows(each_database):
    tables = await each_database.execute_admin("SHOW TABLES")
    assert len(tables) > 10
    async with each_database.engine.connect() as connection:
        assert await connection.scalar(text("SELECT database()")) == each_database.name


def _without_redundant_charset(statement: str) -> str:
    # MySQL repeats the character set of a column in a table that was made from its own output.
    return re.sub(r"CHARACTER SET \w+ COLLATE", "COLLATE", statement)


async def test_the_copy_says_the_same_as_the_migrations(each_migrated_server):
    migrated = await each_migrated_server.empty_database()
    await asyncio.to_thread(upgrade, migrated.url)
    copied = await each_migrated_server.fresh_database()
    async with admin_connection(copied.server.admin_url()) as connection:
        wanted = await read_template(connection, migrated.name)
        found = await read_template(connection, copied.name)
    # Both name their own database in the statements that copy rows.
    assert [
        _without_redundant_charset(line).replace(copied.name, migrated.name)
        for line in found.statements
    ] == [_without_redundant_charset(line) for line in wanted.statements]


async def test_two_databases_do_not_see_each_other(migrated_server):
    first = await migrated_server.fresh_database()
    second = await migrated_server.fresh_database()
    await first.execute_admin("CREATE TABLE only_here (id INT PRIMARY KEY)")
    assert ("only_here",) in await first.execute_admin("SHOW TABLES")
    assert ("only_here",) not in await second.execute_admin("SHOW TABLES")


async def test_a_private_database_survives_kill_9_of_its_server(private_database):
    await private_database.execute_admin("CREATE TABLE notes (id INT PRIMARY KEY)")
    await private_database.execute_admin("INSERT INTO notes VALUES (%s)", 7)
    async with private_database.engine.connect() as connection:
        assert await connection.scalar(text("SELECT id FROM notes")) == 7
    await private_database.kill_server()
    assert not private_database.server.is_running()
    await private_database.start_server()
    async with private_database.engine.connect() as connection:
        assert await connection.scalar(text("SELECT id FROM notes")) == 7


def _server_port(url: str) -> int:
    return int(url.rsplit(":", 1)[1].split("/")[0])


async def _ask(port: int) -> bytes:
    """The greeting that a SQL server sends first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await reader.read(64)
    finally:
        writer.close()


async def test_the_fault_proxy_forwards_delays_refuses_cuts_and_swallows(
    database_server, fault_proxy
):
    proxy = await fault_proxy(_server_port(database_server.admin_url()))
    assert len(await _ask(proxy.port)) > 10

    proxy.latency_seconds = 0.3
    began = asyncio.get_running_loop().time()
    assert await _ask(proxy.port)
    assert asyncio.get_running_loop().time() - began >= 0.3

    proxy.restore()
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        await _ask(proxy.port)

    proxy.restore()
    proxy.swallow()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_ask(proxy.port), 0.3)

    proxy.restore()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await reader.read(4096)
    proxy.cut()
    with pytest.raises(ConnectionResetError):  # not a polite end of stream
        await reader.read(64)
    writer.close()
    assert proxy.connections_made == 5


async def test_the_declared_topics_exist_under_the_tests_prefix(kafka_server, prefixed_topics):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.bootstrap_servers)
    await admin.start()
    try:
        names = {name for name in await admin.list_topics() if name.startswith(prefixed_topics)}
    finally:
        await admin.close()
    assert names == {prefixed_topics + topic.name for topic in ALL_TOPICS}


async def test_the_stripe_double_answers(stripe_double):
    async with httpx.AsyncClient(base_url=stripe_double.url) as client:
        bearer = {"Authorization": f"Bearer {stripe_double.api_key}"}
        answer = await client.get("/v1/customers", headers=bearer)
    assert answer.status_code == 200
    assert answer.json()["data"] == []


async def test_a_query_through_the_proxy(database, fault_proxy):
    port = _server_port(database.url)
    proxy = await fault_proxy(port)
    through = database.url.replace(f":{port}/", f":{proxy.port}/")
    async with admin_connection(through) as connection:
        assert await run_sql(connection, "SELECT 1") == [(1,)]
