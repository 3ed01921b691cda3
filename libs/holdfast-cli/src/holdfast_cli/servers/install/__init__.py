"""Getting the servers onto a machine: Debian packages, Maven artifacts, unpacked packages."""

from __future__ import annotations

from holdfast_cli.servers.install.cache import default_cache_dir
from holdfast_cli.servers.install.java import install_java_and_maven
from holdfast_cli.servers.install.kafka_jars import KAFKA_VERSION, fetch_kafka_jars
from holdfast_cli.servers.install.mariadb import install_mariadb
from holdfast_cli.servers.install.mysql_unpacked import fetch_mysql

__all__ = [
    "KAFKA_VERSION",
    "default_cache_dir",
    "fetch_kafka_jars",
    "fetch_mysql",
    "install_java_and_maven",
    "install_mariadb",
]
