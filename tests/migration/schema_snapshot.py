"""A database's schema as its server tells it, in a form that two databases can be compared in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


@dataclass(frozen=True, slots=True)
class TableSnapshot:
    """Columns in order (type, collation, default, generated expression), keys and checks."""

    columns: tuple[str, ...]
    keys_and_checks: frozenset[str]
    options: str


async def read_snapshot(engine: AsyncEngine) -> dict[str, TableSnapshot]:
    """Every table except Alembic's own."""
    async with engine.connect() as connection:
        names = (await connection.execute(text("SHOW TABLES"))).scalars().all()
        return {
            name: await _read_table(connection, name) for name in names if name != "alembic_version"
        }


async def _read_table(connection: AsyncConnection, name: str) -> TableSnapshot:
    shown = (await connection.execute(text(f"SHOW CREATE TABLE `{name}`"))).one()[1]
    _, *lines, options = shown.split("\n")
    # MySQL writes a literal in the character set of whichever side it looked at first.
    plain = (re.sub(r"_(?:ascii|utf8mb4)'", "'", line) for line in lines)
    clean = [line.strip().rstrip(",") for line in plain]
    return TableSnapshot(
        columns=tuple(line for line in clean if line.startswith("`")),
        keys_and_checks=frozenset(line for line in clean if not line.startswith("`")),
        options=re.sub(r" AUTO_INCREMENT=\d+", "", options),
    )
