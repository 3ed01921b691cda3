"""deploy/mysql/grants.sql, applied to a test's own database and users."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.fixtures.databases import Database

from billing_common.storage.engine import make_engine
from billing_common.storage.tables import DATABASE_USERS

GRANTS = Path(__file__).parents[3] / "deploy" / "mysql" / "grants.sql"


def grant_statements() -> list[str]:
    """The file's statements: lines of `--` are comments, `;` ends a statement."""
    lines = [line for line in GRANTS.read_text().splitlines() if not line.startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";") if part.strip()]


@asynccontextmanager
async def engines_by_service(database: Database) -> AsyncIterator[Mapping[str, AsyncEngine]]:
    """An engine per service, each as a user of its own with that service's grants.

    The users carry the run's suffix: the server may be shared with a stack that has the real ones.
    """
    suffix = secrets.token_hex(3)
    password = secrets.token_hex(12)
    users = {service: f"{user}_{suffix}" for service, user in DATABASE_USERS.items()}
    engines: dict[str, AsyncEngine] = {}
    try:
        for user in users.values():
            await database.execute_admin(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{password}'")
        for statement in grant_statements():
            await database.execute_admin(_for_test(statement, database.name, suffix))
        for service, user in users.items():
            url = make_url(database.url).set(username=user, password=password)
            engines[service] = make_engine(
                url.render_as_string(hide_password=False), pool_size=1, pool_overflow=0
            )
        yield engines
    finally:
        for engine in engines.values():
            await engine.dispose()
        for user in users.values():
            await database.execute_admin(f"DROP USER IF EXISTS '{user}'@'%'")


def _for_test(statement: str, database: str, suffix: str) -> str:
    renamed = re.sub(r"'(hf_[a-z]+)'@", rf"'\1_{suffix}'@", statement)
    return re.sub(r"\bON holdfast\.", f"ON `{database}`.", renamed)
