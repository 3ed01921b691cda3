"""Servers that come from containers whatever the rest of the run uses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.fixtures.backend import Kind
from tests.fixtures.containers import (
    ContainerBackend,
    ContainerDatabaseServer,
    ContainerKafkaBroker,
)
from tests.fixtures.databases import Database, MigratedServer
from tests.fixtures.run_report import record_server
from tests.fixtures.server_folder import running


def _require(kind: Kind) -> ContainerBackend:
    backend = ContainerBackend()
    reason = backend.why_unavailable(kind)
    if reason is not None:
        pytest.skip(
            f"{reason}; see the heads of tools/docker-engine.sh and tools/stand-in-images.sh"
        )
    return backend


@pytest.fixture(scope="session")
def container_database(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ContainerDatabaseServer]:
    server = _require("database").make_database_server(tmp_path_factory.mktemp("database"))
    with running(server):
        record_server(pytestconfig, "database", server.description)
        yield server


@pytest.fixture(scope="session")
def migrated_container(container_database: ContainerDatabaseServer) -> MigratedServer:
    return MigratedServer(container_database)


@pytest.fixture
async def container_schema(migrated_container: MigratedServer) -> AsyncIterator[Database]:
    """A fresh, migrated database in the container."""
    fresh = await migrated_container.fresh_database()
    yield fresh
    await fresh.dispose()


@pytest.fixture(scope="session")
def container_kafka(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ContainerKafkaBroker]:
    broker = _require("kafka").make_kafka_broker(tmp_path_factory.mktemp("kafka"))
    with running(broker):
        record_server(pytestconfig, "kafka", broker.description)
        yield broker
