"""Real servers as child processes: MariaDB, MySQL and Apache Kafka on the loopback address."""

from __future__ import annotations

from holdfast_cli.servers.child_server import ChildServer
from holdfast_cli.servers.errors import ServerStartFailed
from holdfast_cli.servers.kafka import KafkaServer
from holdfast_cli.servers.mariadb import MariaDbServer
from holdfast_cli.servers.mysql import MySqlServer
from holdfast_cli.servers.ports import free_port, is_port_free, port_owner, require_free_port
from holdfast_cli.servers.sql_server import SqlServer

__all__ = [
    "ChildServer",
    "KafkaServer",
    "MariaDbServer",
    "MySqlServer",
    "ServerStartFailed",
    "SqlServer",
    "free_port",
    "is_port_free",
    "port_owner",
    "require_free_port",
]
