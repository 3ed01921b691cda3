"""Gets the server programs onto this machine, when they are missing."""

from __future__ import annotations

import shutil

from holdfast_cli.progress import Progress
from holdfast_cli.servers.install import (
    KAFKA_VERSION,
    default_cache_dir,
    fetch_kafka_jars,
    install_java_and_maven,
    install_mariadb,
)
from holdfast_cli.servers.java import find_java
from holdfast_cli.servers.mariadb import find_mariadbd


def has_mariadb() -> bool:
    return find_mariadbd() is not None


def has_kafka() -> bool:
    """Whether Java and the cached jars are there; the jars' sums are checked when they are used."""
    libs = default_cache_dir() / f"kafka-{KAFKA_VERSION}" / "libs"
    return find_java() is not None and any(libs.glob("kafka_*.jar"))


def install_servers(progress: Progress, *, with_kafka: bool) -> None:
    """MariaDB, and Java, Maven and Kafka's jars when `with_kafka`. Quick when all is there."""
    with progress.step("MariaDB: program") as step:
        install_mariadb(step.note)
        step.result = step.detail
    if not with_kafka:
        return
    if not has_kafka() or shutil.which("mvn") is None:
        with progress.step("Kafka: Java and Maven") as step:
            install_java_and_maven(step.note)
            step.result = step.detail
    with progress.step("Kafka: jars") as step:
        fetch_kafka_jars(default_cache_dir(), say=step.note)
        step.result = step.detail
