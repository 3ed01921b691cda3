"""What the images and the database's settings promise, read from their files."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast_cli.servers.engine_options import engine_options

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy" / "docker"

# Sizes and places, which may differ between a child process and a container.
_FREE = {
    "bind-address",
    "innodb-buffer-pool-size",
    "innodb-buffer-pool-dump-at-shutdown",
    "innodb-buffer-pool-load-at-startup",
    "max-binlog-size",
    "binlog-expire-logs-seconds",
    "performance-schema",
    "lock-wait-timeout",  # the services set it for their sessions; here for all others too
}


def test_the_service_image_runs_as_nobody_special_and_knows_its_health():
    final = (DOCKER / "service.Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert "USER 10001:10001" in final
    assert "healthcheck.py" in final.partition("HEALTHCHECK")[2]
    assert not re.search(r"^(ARG|ENV) .*(SECRET|PASSWORD|KEY|TOKEN)", final, re.MULTILINE)


def test_libraries_are_installed_by_pins_with_hashes():
    text = (DOCKER / "service.Dockerfile").read_text()
    assert "--require-hashes" in text
    assert "UV_CONSTRAINT=/build/requirements/dev.txt" in text
    assert "UV_BUILD_CONSTRAINT=/build/requirements/dev.txt" in text
    assert "no pin for" in text


def test_the_build_sees_only_what_it_installs():
    lines = (ROOT / ".dockerignore").read_text().split()
    assert "*" in lines
    assert {line for line in lines if line.startswith("!")} == {
        "!deploy/docker/healthcheck.py",
        "!deploy/docker/certificates",
        "!libs",
        "!requirements",
        "!services",
    }


def test_a_container_is_set_like_the_child_process():
    container = dict(
        (part.strip() for part in line.split("=", 1))
        for line in (DOCKER / "database.cnf").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    process = dict(option.removeprefix("--").split("=", 1) for option in engine_options())
    for name in sorted((set(process) | set(container)) - _FREE):
        assert container.get(name) == process.get(name), name
