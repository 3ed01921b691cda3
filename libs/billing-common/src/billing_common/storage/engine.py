"""The one place where connections are configured.

READ COMMITTED, because InnoDB's REPEATABLE READ takes gap locks that deadlock different keys and
shows stale rows beside locking reads. Every session is UTC and waits at most 5 s for a lock.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

LOCK_WAIT_SECONDS: Final = 5
# Behind a schema change: the servers' defaults are a day and a year.
METADATA_LOCK_WAIT_SECONDS: Final = 10
CONNECT_TIMEOUT_SECONDS: Final = 5
# Longer than any statement of ours; on expiry the driver drops the connection.
READ_TIMEOUT_SECONDS: Final = 30
POOL_RECYCLE_SECONDS: Final = 1800
POOL_TIMEOUT_SECONDS: Final = 10

SESSION_SETTINGS: Final = (
    "SET time_zone = '+00:00', "
    f"innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}, "
    f"lock_wait_timeout = {METADATA_LOCK_WAIT_SECONDS}, "
    "sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"
)


def make_engine(url: str, *, pool_size: int = 10, pool_overflow: int = 10) -> AsyncEngine:
    """An async engine for `url` (mysql+asyncmy://...). Connects on first use."""
    return create_async_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=pool_size,
        max_overflow=pool_overflow,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_recycle=POOL_RECYCLE_SECONDS,
        pool_pre_ping=True,
        # An error's text would quote them, payloads among them, wherever it is printed.
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "read_timeout": READ_TIMEOUT_SECONDS,
            "init_command": SESSION_SETTINGS,
        },
    )
