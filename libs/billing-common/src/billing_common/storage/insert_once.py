"""The idempotent insert: insert first, and let a named unique key say that we came second.

No INSERT IGNORE (it also swallows truncation and foreign keys), no upsert (it fires on *any*
unique key of the table). InnoDB undoes only the refused statement; the transaction goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.exc import DBAPIError

from billing_common.storage.database_errors import duplicate_key_name
from billing_common.storage.transaction import WriteConnection


@dataclass(frozen=True, slots=True)
class Inserted:
    """The row is ours; `id` is its auto-increment key (0 when the table has none)."""

    id: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row with the same value under unique key `key_name` was there first."""

    key_name: str


async def insert_once(
    connection: WriteConnection,
    table: Table,
    values: Mapping[str, Any],
    *,
    expected_conflicts: frozenset[str],
) -> Inserted | Conflict:
    """Insert `values`. A duplicate under one of `expected_conflicts` is an answer, not an error.

    Any other error, including a duplicate under another key, is raised.
    """
    try:
        result = await connection.execute(insert(table).values(**values))
    except DBAPIError as error:
        key_name = duplicate_key_name(error)
        if key_name is None or key_name not in expected_conflicts:
            raise
        return Conflict(key_name)
    return Inserted(id=result.lastrowid or 0)
