"""A database and a broker of the benchmark's own, as the local stack starts them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast_cli.servers import KafkaServer, MariaDbServer, free_port
from holdfast_cli.servers.install import (
    default_cache_dir,
    fetch_kafka_jars,
    install_java_and_maven,
    install_mariadb,
)


@contextmanager
def running_mariadb() -> Iterator[MariaDbServer]:
    """Durable settings, as asserted by the services."""
    install_mariadb(print)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        server = MariaDbServer(Path(folder) / "data", free_port())
        server.start()
        try:
            print(f"database: {server.description}")
            yield server
        finally:
            server.stop()


@contextmanager
def running_kafka() -> Iterator[KafkaServer]:
    """One broker in KRaft mode."""
    install_java_and_maven(print)
    libs = fetch_kafka_jars(default_cache_dir(), say=print)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        server = KafkaServer(Path(folder) / "data", free_port(), free_port(), libs)
        server.start()
        try:
            print(f"broker: {server.description}")
            yield server
        finally:
            server.stop()
