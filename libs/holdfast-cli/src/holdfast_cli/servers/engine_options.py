from __future__ import annotations

# What Holdfast's engine checks assert at start, under the names both engines share, plus what
# keeps a server small. Durability is never traded for speed, in tests neither.
_SHARED = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "ON",
    "transaction-isolation": "READ-COMMITTED",
    "sql-mode": "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
    "default-time-zone": "+00:00",
    "character-set-server": "utf8mb4",
    "collation-server": "utf8mb4_bin",
    "innodb-flush-log-at-trx-commit": "1",
    "innodb-doublewrite": "ON",
    "innodb-lock-wait-timeout": "5",
    "innodb-rollback-on-timeout": "ON",
    "innodb-print-all-deadlocks": "ON",
    "innodb-buffer-pool-size": "256M",
    "innodb-buffer-pool-dump-at-shutdown": "OFF",
    "innodb-buffer-pool-load-at-startup": "OFF",
    "server-id": "1",
    "log-bin": "binlog",
    "binlog-format": "ROW",
    "sync-binlog": "1",
    "max-binlog-size": "16M",
    "binlog-expire-logs-seconds": "600",
    "max-connections": "400",
    "performance-schema": "OFF",
}


def engine_options(**more: str) -> list[str]:
    """Command line options for mariadbd and mysqld; ``more`` uses underscores for dashes."""
    options = _SHARED | {name.replace("_", "-"): value for name, value in more.items()}
    return [f"--{name}={value}" for name, value in options.items()]
