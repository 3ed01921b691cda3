"""Containers of the tests are reachable from this machine only, and none stays behind."""

from __future__ import annotations

import gc
import subprocess

import docker
import pytest
from tests.fixtures.container_engine import OWNER_LABEL, remove_leftovers
from tests.fixtures.containers import ContainerDatabaseServer

pytestmark = [pytest.mark.connected, pytest.mark.containers]


@pytest.fixture
def engine(container_database):
    client = docker.from_env()
    yield client
    client.close()


def test_a_published_port_is_on_the_loopback_address_only(container_database, engine):
    port = f"{container_database.port}/tcp"
    bindings = [
        address["HostIp"]
        for container in engine.containers.list(filters={"label": OWNER_LABEL})
        for address in (container.ports.get(port) or [])
    ]
    if not engine.networks.list(names=["bridge"]):
        pytest.skip("this engine has no bridge network: containers are on the host's own")
    assert bindings == ["127.0.0.1"]


def test_a_container_goes_with_the_object_that_made_it(container_database, engine):
    server = ContainerDatabaseServer(container_database.image)
    server.start()
    made = engine.containers.get(server._container.id)
    server.kill()
    del server
    gc.collect()
    with pytest.raises(docker.errors.NotFound):
        made.reload()


def test_containers_of_dead_processes_are_removed_and_those_of_others_stay(
    container_database, engine
):
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = engine.containers.create(
        container_database.image, ["true"], labels={OWNER_LABEL: str(dead.pid)}
    )

    remove_leftovers(engine)

    with pytest.raises(docker.errors.NotFound):
        left.reload()
    assert container_database.is_running()
