from __future__ import annotations

from pathlib import Path

import pytest
from tests.fixtures.schema_template import admin_connection, run_sql

from holdfast_cli.servers import MariaDbServer, ServerStartFailed, free_port
from holdfast_cli.servers.install import install_mariadb

pytestmark = pytest.mark.connected


@pytest.fixture
def server(tmp_path: Path):
    install_mariadb(lambda line: None)
    server = MariaDbServer(tmp_path / "mariadb", free_port())
    yield server
    server.stop()


async def _rows(server: MariaDbServer, sql: str) -> list[tuple[object, ...]]:
    async with admin_connection(server.admin_url()) as connection:
        return await run_sql(connection, sql)


async def test_committed_rows_survive_kill_9_and_restart_on_the_same_port(server):
    server.start()
    await _rows(server, "CREATE DATABASE kept")
    await _rows(server, "CREATE TABLE kept.notes (id INT PRIMARY KEY)")
    await _rows(server, "INSERT INTO kept.notes VALUES (7)")
    first_pid = server.pid
    server.kill()
    assert not server.is_running()
    server.start()
    assert server.pid != first_pid
    assert await _rows(server, "SELECT id FROM kept.notes") == [(7,)]


async def test_the_engine_runs_with_the_settings_the_services_assert(server):
    server.start()
    wanted = {
        "tx_isolation": "READ-COMMITTED",
        "sql_mode": "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
        "time_zone": "+00:00",
        "innodb_flush_log_at_trx_commit": "1",
        "innodb_doublewrite": "ON",
        "innodb_lock_wait_timeout": "5",
        "innodb_rollback_on_timeout": "ON",
        "innodb_deadlock_detect": "ON",
        "innodb_print_all_deadlocks": "ON",
        "log_bin": "ON",
        "binlog_format": "ROW",
        "sync_binlog": "1",
        "character_set_server": "utf8mb4",
        "collation_server": "utf8mb4_bin",
        "bind_address": "127.0.0.1",
        "max_connections": "400",
        "performance_schema": "OFF",
    }
    found = dict(await _rows(server, "SHOW GLOBAL VARIABLES"))
    assert {name: found[name] for name in wanted} == wanted


async def test_no_account_can_come_in_without_a_password(server):
    server.start()
    open_accounts = await _rows(
        server,
        "SELECT user, host FROM mysql.global_priv WHERE "
        "coalesce(json_value(priv, '$.authentication_string'), '') = '' "
        "AND json_value(priv, '$.plugin') <> 'unix_socket' "
        "AND NOT coalesce(json_value(priv, '$.account_locked'), false)",
    )
    assert open_accounts == []
    assert (server.data_dir / "admin-password").stat().st_mode & 0o077 == 0


def test_a_taken_port_is_told_with_its_owner(server, tmp_path):
    server.start()
    second = MariaDbServer(tmp_path / "second", server.port)
    with pytest.raises(ServerStartFailed) as refusal:
        second.start()
    assert f"port {server.port}" in refusal.value.reason
    assert f"(pid {server.pid})" in refusal.value.reason
    assert "another port" in refusal.value.way_out
    assert not second.is_running()


def test_a_second_object_sees_and_stops_the_server_of_the_folder(server):
    server.start()
    same = MariaDbServer(server.data_dir, server.port)
    assert same.pid == server.pid
    with pytest.raises(ServerStartFailed, match="already runs"):
        same.start()
    same.stop()
    assert not same.is_running()
    assert not server.is_running()


def test_a_start_that_fails_shows_the_log_and_leaves_nothing_running(server):
    server.start()
    server.stop()
    for log in (server.data_dir / "data").glob("ib*"):
        log.write_bytes(b"not a database")
    with pytest.raises(ServerStartFailed) as refusal:
        server.start()
    assert "InnoDB" in refusal.value.reason
    assert str(server.log_path) in refusal.value.way_out
    assert not server.is_running()


def test_a_deep_data_folder_gets_a_short_socket_path(tmp_path):
    server = MariaDbServer(tmp_path / ("deep" * 30), free_port())
    assert len(str(server.socket_path)) < 100
    assert server.socket_path != MariaDbServer(tmp_path / ("deeq" * 30), 1).socket_path
