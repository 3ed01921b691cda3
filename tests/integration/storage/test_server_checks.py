"""A service refuses a server that would lose or fold data, and says every reason."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.fixtures.databases import Database

from billing_common.storage import server_checks
from billing_common.storage.migrate import head
from billing_common.storage.server_checks import UnsafeDatabaseServer, assert_server_is_safe

SAFE = {
    "version": "8.4.6",
    "transaction_isolation": "READ-COMMITTED",
    "sql_mode": "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
    "time_zone": "+00:00",
    "innodb_flush_log_at_trx_commit": "1",
    "innodb_doublewrite": "ON",
    "innodb_rollback_on_timeout": "ON",
    "innodb_deadlock_detect": "ON",
    "innodb_lock_wait_timeout": "5",
    "lock_wait_timeout": "10",
    "log_bin": "ON",
    "sync_binlog": "1",
    "binlog_format": "ROW",
}


def _wrong_names(variables: dict[str, str], *, production: bool = True) -> list[str]:
    found = server_checks.find_wrong_settings(variables, production=production)
    assert all(setting.way_out and setting.needed for setting in found)
    return [setting.name for setting in found]


@dataclass(frozen=True)
class Unsafe:
    variable: str
    value: str
    name: str = ""


@pytest.mark.parametrize(
    "unsafe",
    [
        Unsafe("version", "8.0.36"),
        Unsafe("version", "5.7.44-log"),
        Unsafe("version", "10.6.18-MariaDB"),
        Unsafe("transaction_isolation", "REPEATABLE-READ"),
        Unsafe("sql_mode", "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"),
        Unsafe("sql_mode", SAFE["sql_mode"] + ",NO_BACKSLASH_ESCAPES"),
        Unsafe("sql_mode", SAFE["sql_mode"] + ",ANSI_QUOTES"),
        Unsafe("time_zone", "SYSTEM"),
        Unsafe("innodb_flush_log_at_trx_commit", "2"),
        Unsafe("innodb_doublewrite", "OFF"),
        Unsafe("innodb_doublewrite", "DETECT_ONLY"),
        Unsafe("innodb_rollback_on_timeout", "OFF"),
        Unsafe("innodb_deadlock_detect", "OFF"),
        Unsafe("innodb_lock_wait_timeout", "50"),
        Unsafe("lock_wait_timeout", "31536000"),
        Unsafe("sync_binlog", "0"),
        Unsafe("binlog_format", "MIXED"),
        Unsafe("log_bin", "OFF"),
    ],
    ids=lambda unsafe: f"{unsafe.variable}={unsafe.value}",
)
def test_each_unsafe_setting_is_told(unsafe: Unsafe) -> None:
    assert _wrong_names(SAFE | {unsafe.variable: unsafe.value}) == [unsafe.variable]


@pytest.mark.parametrize(
    "change",
    [
        {"version": "10.11.14-MariaDB-0+deb12u2"},
        {"version": "11.8.3-MariaDB"},
        {"version": "9.7.4"},
        {"innodb_doublewrite": "DETECT_AND_RECOVER"},
        {"sql_mode": SAFE["sql_mode"].replace("STRICT_TRANS_TABLES", "STRICT_ALL_TABLES")},
        {"time_zone": "UTC"},
    ],
    ids=str,
)
def test_a_safe_variation_passes(change: dict[str, str]) -> None:
    assert _wrong_names(SAFE | change) == []


def test_the_old_name_of_the_isolation_counts() -> None:
    old = {name: value for name, value in SAFE.items() if name != "transaction_isolation"}
    assert _wrong_names(old | {"tx_isolation": "READ-COMMITTED"}) == []
    assert _wrong_names(old) == ["transaction_isolation"]


def test_outside_production_the_binary_log_may_be_off_but_never_unsafe() -> None:
    assert _wrong_names(SAFE | {"log_bin": "OFF", "sync_binlog": "0"}, production=False) == []
    assert _wrong_names(SAFE | {"sync_binlog": "0"}, production=False) == ["sync_binlog"]


def test_a_server_without_answers_is_not_safe() -> None:
    assert len(_wrong_names({})) >= 10


@pytest.mark.connected
async def test_the_runs_own_server_is_safe(each_database: Database) -> None:
    facts = await assert_server_is_safe(each_database.engine, production=True)
    assert facts.product in {"MariaDB", "MySQL"}
    assert facts.version >= (8, 4, 0)
    assert facts.schema_revision == head()


@pytest.mark.connected
async def test_what_the_services_own_sessions_see_is_what_counts(each_database: Database) -> None:
    """The same server through a connection that was not set up as ours are."""
    engine = create_async_engine(
        each_database.url,
        isolation_level="REPEATABLE READ",
        connect_args={
            "init_command": "SET time_zone = '+02:00', sql_mode = '',"
            " innodb_lock_wait_timeout = 50, lock_wait_timeout = 50"
        },
    )
    try:
        with pytest.raises(UnsafeDatabaseServer) as refusal:
            await assert_server_is_safe(engine, production=False)
    finally:
        await engine.dispose()
    assert {setting.name for setting in refusal.value.wrong_settings} == {
        "transaction_isolation",
        "sql_mode",
        "time_zone",
        "innodb_lock_wait_timeout",
        "lock_wait_timeout",
    }
    told = str(refusal.value)
    assert "REPEATABLE-READ" in told
    assert "make_engine" in told


@pytest.mark.connected
async def test_a_schema_that_folds_ids_is_refused(each_database: Database) -> None:
    async with each_database.engine.begin() as connection:
        await connection.execute(
            text("ALTER TABLE billing_customers MODIFY provider_customer_id varchar(255) NOT NULL")
        )
    with pytest.raises(UnsafeDatabaseServer) as refusal:
        await assert_server_is_safe(each_database.engine, production=False)
    (wrong,) = refusal.value.wrong_settings
    assert wrong.name == "column billing_customers.provider_customer_id"
    assert wrong.found == "varchar"


@pytest.mark.connected
async def test_a_database_without_the_schema_is_refused(empty_database: Database) -> None:
    with pytest.raises(UnsafeDatabaseServer, match=r"billing_common\.storage\.migrate"):
        await assert_server_is_safe(empty_database.engine, production=False)
