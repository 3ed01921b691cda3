"""Gets the server programs onto this machine, when they are missing."""

from __future__ import annotations

import os
import shutil

from holdfast_cli.failures import StackFailure
from holdfast_cli.progress import Progress
from holdfast_cli.servers.install import (
    KAFKA_VERSION,
    default_cache_dir,
    fetch_kafka_jars,
    install_java_and_maven,
    install_mariadb,
)
from holdfast_cli.servers.install.mariadb import PACKAGES as MARIADB_PACKAGES
from holdfast_cli.servers.java import find_java
from holdfast_cli.servers.mariadb import find_mariadbd


def has_mariadb() -> bool:
    return find_mariadbd() is not None


def has_kafka() -> bool:
    """Whether Java and the cached jars are there; the jars' sums are checked when they are used."""
    libs = default_cache_dir() / f"kafka-{KAFKA_VERSION}" / "libs"
    return find_java() is not None and any(libs.glob("kafka_*.jar"))


def missing_packages(*, with_kafka: bool) -> list[str]:
    """Debian packages that `install_servers` would install now."""
    missing = [] if has_mariadb() else list(MARIADB_PACKAGES)
    if with_kafka and find_java() is None:
        missing.append("openjdk-17-jre-headless")
    if with_kafka and not has_kafka() and shutil.which("mvn") is None:
        missing.append("maven")
    return missing


def can_install_packages() -> bool:
    """Whether this user may install Debian packages here."""
    return shutil.which("apt-get") is not None and (
        os.geteuid() == 0 or shutil.which("sudo") is not None
    )


def install_servers(progress: Progress, *, with_kafka: bool) -> None:
    """MariaDB, and Java, Maven and Kafka's jars when `with_kafka`. Quick when all is there."""
    missing = missing_packages(with_kafka=with_kafka)
    if missing and not can_install_packages():
        raise StackFailure(
            f"These programs are missing, and this user cannot install them: {', '.join(missing)}.",
            way_out=(
                "Let root run: apt-get update && apt-get install --no-install-recommends "
                + " ".join(missing),
                "or, with Docker: docker compose up",
            ),
        )
    with progress.step("MariaDB: program") as step:
        install_mariadb(step.note)
        step.result = step.detail
    if not with_kafka:
        return
    if not has_kafka():
        with progress.step("Kafka: Java and Maven") as step:
            install_java_and_maven(step.note)
            step.result = step.detail
    with progress.step("Kafka: jars") as step:
        fetch_kafka_jars(default_cache_dir(), say=step.note)
        step.result = step.detail
