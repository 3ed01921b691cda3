"""Makes the database ready around the migrations: accounts before them, grants after them.

Every part can be repeated: an existing database is only brought up to date.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import asyncmy
from asyncmy.errors import MySQLError

from holdfast_cli.environment import DATABASE_NAME
from holdfast_cli.failures import StackFailure
from holdfast_cli.local_secrets import LocalSecrets
from holdfast_cli.servers import SqlServer
from holdfast_cli.servers.ports import LOOPBACK


def prepare_accounts(server: SqlServer, secrets: LocalSecrets) -> None:
    """The database and its users exist, with the passwords of this stack's secrets file."""
    statements = [f"CREATE DATABASE IF NOT EXISTS {DATABASE_NAME} CHARACTER SET utf8mb4"]
    for user, password in secrets.database_passwords.items():
        statements.append(f"CREATE USER IF NOT EXISTS '{user}'@'%' IDENTIFIED BY '{password}'")
        statements.append(f"ALTER USER '{user}'@'%' IDENTIFIED BY '{password}'")
    statements.append(f"GRANT ALL PRIVILEGES ON {DATABASE_NAME}.* TO 'hf_migrate'@'%'")
    run_statements(server, statements)


def apply_grants(server: SqlServer, grants_file: Path) -> None:
    """Each service's user gets what deploy/mysql/grants.sql gives it."""
    run_statements(server, split_statements(grants_file.read_text(encoding="utf-8")))


def split_statements(script: str) -> list[str]:
    """The statements of a script without procedures: `--` comments go, `;` separates."""
    lines = [line for line in script.splitlines() if not line.lstrip().startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";") if part.strip()]


def run_statements(server: SqlServer, statements: Sequence[str]) -> None:
    """Run them as the server's administrator, in the Holdfast database when it exists already."""
    # The driver repeats the server's notes ("database exists") as warnings on the screen.
    logging.getLogger("asyncmy").setLevel(logging.ERROR)
    try:
        asyncio.run(_run(server, statements))
    except (MySQLError, OSError) as error:
        raise StackFailure(
            f"The database refused a set-up statement: {error}",
            way_out=("Start over with: holdfast down --wipe && holdfast up",),
        ) from error


async def _run(server: SqlServer, statements: Sequence[str]) -> None:
    connection = await asyncmy.connect(
        host=LOOPBACK,
        port=server.port,
        user=server.admin_user,
        password=server.admin_password,
        autocommit=True,
        connect_timeout=10,
    )
    try:
        async with connection.cursor() as cursor:
            for statement in statements:
                await cursor.execute(statement)
    finally:
        await connection.ensure_closed()
