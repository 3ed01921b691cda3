"""The stored offset moves only from where its mover believes it to be."""

from __future__ import annotations

import pytest
from tests.fixtures.databases import Database as OwnDatabase
from tests.integration.projection.purchases import NOW

from billing_common.storage.transaction import Database, WriteConnection
from projection.repository.offsets import (
    Place,
    advance_offset,
    begin_offset,
    lock_next_offset,
    read_next_offsets,
)

pytestmark = pytest.mark.connected
PLACE = Place("group", "topic", 0)
BESIDE = Place("group", "topic", 1)


@pytest.mark.requirement("EVT-04")
async def test_an_offset_is_compared_and_set(database: OwnDatabase) -> None:
    through = Database(database.engine)

    async def begin(connection: WriteConnection) -> None:
        for place in (PLACE, BESIDE):
            await begin_offset(connection, place, next_offset=10, now=NOW)

    async def advance(expected: int, next_offset: int) -> bool:
        return await through.write(
            lambda connection: advance_offset(
                connection, PLACE, expected=expected, next_offset=next_offset, now=NOW
            ),
            name="advance",
        )

    assert await through.write(lambda c: lock_next_offset(c, PLACE), name="lock") is None
    await through.write(begin, name="begin")
    assert await advance(10, 15)
    # A mover that was away since: neither on from, nor back to where it was.
    assert not await advance(10, 20)
    assert not await advance(10, 12)
    async with through.read(name="read") as connection:
        stored = await read_next_offsets(
            connection, group="group", partitions=[("topic", 0), ("topic", 1), ("topic", 2)]
        )
    assert stored == {("topic", 0): 15, ("topic", 1): 10}
