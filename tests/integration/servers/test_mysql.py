from __future__ import annotations

import pytest
from tests.fixtures.schema_template import admin_connection, run_sql

from holdfast_cli.servers import MySqlServer, free_port
from holdfast_cli.servers.install import default_cache_dir, fetch_mysql

pytestmark = [pytest.mark.connected, pytest.mark.mysql]


@pytest.fixture
def server(tmp_path):
    root = fetch_mysql(default_cache_dir(), say=lambda line: None)
    server = MySqlServer(tmp_path / "mysql", free_port(), root)
    yield server
    server.stop()


async def _rows(server, sql):
    async with admin_connection(server.admin_url()) as connection:
        return await run_sql(connection, sql)


async def test_it_is_mysql_with_our_settings_and_keeps_rows_over_kill_9(server):
    server.start()
    version, comment = (await _rows(server, "SELECT version(), @@version_comment"))[0]
    assert "MariaDB" not in version
    assert "MariaDB" not in comment
    wanted = {
        "transaction_isolation": "READ-COMMITTED",
        "sql_mode": "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
        "time_zone": "+00:00",
        "innodb_flush_log_at_trx_commit": "1",
        "innodb_lock_wait_timeout": "5",
        "innodb_rollback_on_timeout": "ON",
        "log_bin": "ON",
        "binlog_format": "ROW",
        "sync_binlog": "1",
        "collation_server": "utf8mb4_bin",
    }
    found = dict(await _rows(server, "SHOW GLOBAL VARIABLES"))
    assert {name: found[name] for name in wanted} == wanted

    await _rows(server, "CREATE DATABASE kept")
    await _rows(server, "CREATE TABLE kept.notes (id INT PRIMARY KEY)")
    await _rows(server, "INSERT INTO kept.notes VALUES (7)")
    server.kill()
    server.start()
    assert await _rows(server, "SELECT id FROM kept.notes") == [(7,)]
