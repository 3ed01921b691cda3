"""Each service writes what it owns, and the server itself refuses the rest."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
from sqlalchemy import Table, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.fixtures.databases import Database
from tests.integration.storage.grants import engines_by_service, grant_statements

from billing_common.storage.database_errors import error_number
from billing_common.storage.tables import (
    COLUMN_UPDATES,
    DATABASE_USERS,
    PRIVILEGES,
    metadata,
)

pytestmark = pytest.mark.requirement("DATA-07")

TABLE_REFUSED = 1142
COLUMN_REFUSED = 1143
_GRANT = re.compile(r"GRANT (.+) ON holdfast\.(\S+) TO '(hf_[a-z]+)'@'%'\Z", re.DOTALL)


def test_the_file_grants_exactly_what_is_declared() -> None:
    whole: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    columns: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    services = {user: service for service, user in DATABASE_USERS.items()}
    readers = set()
    for statement in grant_statements()[1:]:  # the first sets the session up
        found = _GRANT.match(statement)
        assert found, statement
        verbs, table, service = found.group(1), found.group(2), services[found.group(3)]
        if table == "*":
            assert verbs == "SELECT"
            readers.add(service)
            continue
        for names in re.findall(r"UPDATE \(([^)]*)\)", verbs):
            columns[table][service] = frozenset(re.split(r",\s*", names))
        plain = re.sub(r"(, )?UPDATE \([^)]*\)", "", verbs)
        if plain:
            assert service not in whole[table], f"{table}: granted twice to {service}"
            whole[table][service] = frozenset(re.split(r",\s*", plain))
    assert readers == set(DATABASE_USERS)
    assert dict(whole) == {table: dict(by) for table, by in PRIVILEGES.items() if by}
    assert dict(columns) == {table: dict(by) for table, by in COLUMN_UPDATES.items()}


async def _answer(connection: AsyncConnection, statement: str) -> int | None:
    """None when the server does it (to no row), else its error number."""
    try:
        async with connection.begin():
            await connection.execute(text(statement))
    except DBAPIError as refusal:
        return error_number(refusal)
    return None


def _probes(table: Table) -> dict[str, str]:
    """One statement a verb that changes no row. The column is in no column grant."""
    column = next(
        c.name for c in table.c if c.computed is None and c.name not in {"updated_at", "id"}
    )
    quoted = f"`{column}`"
    return {
        "INSERT": (
            f"INSERT INTO {table.name} ({quoted}) SELECT {quoted} FROM {table.name} WHERE 1=0"
        ),
        "UPDATE": f"UPDATE {table.name} SET {quoted} = {quoted} WHERE 1=0",
        "DELETE": f"DELETE FROM {table.name} WHERE 1=0",
    }


@pytest.mark.connected
async def test_the_server_refuses_what_a_service_does_not_own(each_database: Database) -> None:
    async with engines_by_service(each_database) as engines:
        for service, engine in engines.items():
            async with engine.connect() as connection:
                for table in metadata.sorted_tables:
                    own = PRIVILEGES[table.name].get(service, frozenset())
                    for verb, statement in _probes(table).items():
                        answer = await _answer(connection, statement)
                        where = f"{service}: {verb} {table.name}"
                        if verb in own:
                            # 1364 (a column has no default) comes after the permission.
                            assert answer in {None, 1364}, where
                        else:
                            assert answer in {TABLE_REFUSED, COLUMN_REFUSED}, where


@pytest.mark.connected
async def test_a_service_may_lock_but_not_change_what_it_does_not_own(
    each_database: Database,
) -> None:
    async with engines_by_service(each_database) as engines:
        for table_name, by_service in COLUMN_UPDATES.items():
            table = metadata.tables[table_name]
            for service, columns in by_service.items():
                async with engines[service].connect() as connection:
                    async with connection.begin():
                        await connection.execute(select(table.c.id).with_for_update())
                    for column in columns:
                        statement = f"UPDATE {table_name} SET {column} = {column} WHERE 1=0"
                        assert await _answer(connection, statement) is None
                    refused = await _answer(
                        connection,
                        f"UPDATE {table_name} SET operation_key = NULL WHERE 1=0"
                        if "operation_key" in table.c
                        else f"UPDATE {table_name} SET status = status WHERE 1=0",
                    )
                    assert refused == COLUMN_REFUSED


@pytest.mark.connected
async def test_no_service_may_change_the_schema_or_other_users(database: Database) -> None:
    async with engines_by_service(database) as engines:
        for engine in engines.values():
            async with engine.connect() as connection:
                for statement in (
                    "CREATE TABLE stray (id int)",
                    "ALTER TABLE billing_plans ADD stray int",
                    "DROP TABLE billing_plans",
                    "TRUNCATE TABLE billing_feed_outbox",
                    "UPDATE alembic_version SET version_num = '1'",
                ):
                    assert await _answer(connection, statement) == TABLE_REFUSED, statement
                assert await _answer(connection, "CREATE USER stray") == 1227
                assert await _answer(connection, "SELECT * FROM mysql.user") == TABLE_REFUSED


@pytest.mark.connected
async def test_a_user_that_does_not_exist_is_not_created(each_database: Database) -> None:
    """MariaDB would make one without a password."""
    async with each_database.engine.connect() as connection:
        await connection.execute(text(grant_statements()[0]))
        with pytest.raises(DBAPIError) as refusal:
            await connection.execute(
                text(f"GRANT SELECT ON `{each_database.name}`.* TO 'hf_nobody_at_all'@'%'")
            )
    assert error_number(refusal.value) in {1133, 1410}
