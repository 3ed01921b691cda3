"""Writing many rows of one table with one prepared statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, update

from billing_common.storage.transaction import WriteConnection


async def update_rows(
    connection: WriteConnection, table: Table, rows: Sequence[tuple[int, Mapping[str, Any]]]
) -> None:
    """Update each row, named by its id, with its values. All rows state the same columns."""
    if not rows:
        return
    await connection.execute(
        update(table).where(table.c.id == bindparam("row_id")),
        [{"row_id": row_id, **values} for row_id, values in rows],
    )
