"""Bring a database to a revision of the schema: a job, never something a service does at start.

Any number of these may start at once: they queue on a lock of the server (GET_LOCK), and all but
the first find nothing to do. Run it as `python -m billing_common.storage.migrate --url-from-env`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from billing_common.domain.errors import TransientError

URL_VARIABLE: Final = "BILLING_DATABASE_URL"
MIGRATIONS_FOLDER: Final = Path(__file__).parent / "migrations"
# Another migration may be building; a table of this size takes seconds.
QUEUE_SECONDS: Final = 120
# DDL that waits for a metadata lock makes every later statement on the table wait behind it.
DDL_LOCK_WAIT_SECONDS: Final = 5

SESSION_SETTINGS: Final = (
    "SET time_zone = '+00:00', "
    f"lock_wait_timeout = {DDL_LOCK_WAIT_SECONDS}, "
    "sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"
)


class MigrationBusy(TransientError):  # noqa: N818 - exceptions are facts here
    """Another migration of the same database is still running. Wait for it, then run again."""

    code = "migration_busy"


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` (mysql+asyncmy://...) to `revision`. Running again is harmless.

    For callers without an event loop; inside one, await `upgrade_database`. Raises MigrationBusy,
    or SQLAlchemy's error when the server refuses.
    """
    _outside_a_loop("upgrade_database")
    asyncio.run(upgrade_database(url, revision))


def current(url: str) -> str | None:
    """The revision that the database at `url` is at, or None when it has no schema yet."""
    _outside_a_loop("current_revision")
    return asyncio.run(current_revision(url))


async def upgrade_database(
    url: str, revision: str = "head", *, report: Callable[[str], None] | None = None
) -> tuple[str, ...]:
    """As `upgrade`, inside an event loop. Returns the revisions applied, oldest first.

    `report` is called with `<revision> <title>` as soon as each one is recorded.
    """
    applied: list[str] = []

    def note(*, step: Any, **_: Any) -> None:
        applied.append(step.up_revision_id)
        if report is not None:
            report(f"{step.up_revision_id} {step.up_revision.doc}")

    def run(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        config.attributes["on_version_apply"] = note
        command.upgrade(config, revision)

    async with _connect(url) as connection, _queue(connection):
        await connection.run_sync(run)
    return tuple(applied)


async def current_revision(url: str) -> str | None:
    """As `current`, inside an event loop."""
    async with _connect(url) as connection:
        return await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )


def head() -> str:
    """The newest revision that this release knows."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None, "the package carries no revisions"  # noqa: S101 - packaging bug
    return newest


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m billing_common.storage.migrate", description=__doc__
    )
    parser.add_argument(
        "--url-from-env",
        action="store_true",
        default=True,
        help=f"read the database URL from {URL_VARIABLE} (always: a URL holds a password)",
    )
    parser.add_argument("--revision", default="head", help="where to go (default: the newest)")
    options = parser.parse_args(arguments)
    url = os.environ.get(URL_VARIABLE, "")
    if not url:
        sys.stderr.write(f"{URL_VARIABLE} is not set; set it to mysql+asyncmy://user:...@host/db\n")
        return 2
    # The driver repeats the server's notes ("table exists", "name of a primary key ignored").
    logging.getLogger("asyncmy").setLevel(logging.ERROR)
    applied = asyncio.run(upgrade_database(url, options.revision, report=_print))
    _print(f"{len(applied)} revisions applied; the schema is at {current(url)}")
    return 0


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _outside_a_loop(instead: str) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(f"an event loop is running here: await {instead} instead")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@asynccontextmanager
async def _connect(url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(
        url,
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        connect_args={"connect_timeout": 10, "init_command": SESSION_SETTINGS},
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


@asynccontextmanager
async def _queue(connection: AsyncConnection) -> AsyncIterator[None]:
    """Hold the server's lock for this database's migrations. The lock dies with the connection."""
    database = await connection.scalar(select(func.database()))
    # Lock names are global to the server and at most 64 characters.
    name = "holdfast-migrate-" + hashlib.sha256(str(database).encode()).hexdigest()[:32]
    if await connection.scalar(select(func.get_lock(name, QUEUE_SECONDS))) != 1:
        raise MigrationBusy(f"another migration of {database} ran longer than {QUEUE_SECONDS} s")
    try:
        yield
    finally:
        await connection.scalar(select(func.release_lock(name)))


if __name__ == "__main__":
    sys.exit(main())
