"""A table of the tests' own, beside the real ones: what counts here is the transaction."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Integer, MetaData, String, Table, UniqueConstraint, update
from tests.fixtures.databases import Database as ServedDatabase

from billing_common.storage.transaction import Database, WriteConnection

scratch: Final = Table(
    "scratch",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("word", String(40), nullable=False),
    Column("other", String(40)),
    Column("count", Integer, nullable=False, server_default="0"),
    UniqueConstraint("word", name="uq_scratch_word"),
    UniqueConstraint("other", name="uq_scratch_other"),
)


async def make_scratch(database: ServedDatabase) -> Database:
    """The table, and our transactions over the test's engine."""
    async with database.engine.begin() as connection:
        await connection.run_sync(scratch.create)
    return Database(database.engine)


async def count_up(connection: WriteConnection, word: str) -> None:
    """Locks the row for as long as the transaction lasts."""
    await connection.execute(
        update(scratch).where(scratch.c.word == word).values(count=scratch.c.count + 1)
    )


async def stored(database: ServedDatabase) -> dict[str, int]:
    """Word -> count, as another connection sees it: what is committed."""
    rows = await database.execute_admin("SELECT word, count FROM scratch")
    return {word.decode() if isinstance(word, bytes) else word: int(count) for word, count in rows}
