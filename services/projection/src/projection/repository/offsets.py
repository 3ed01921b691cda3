"""How far this consumer has come, kept in the same transaction as what it wrote.

Kafka's committed offsets are only for lag: what counts is here, compared and set.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, insert, select, tuple_, update

from billing_common.storage.tables import billing_consumer_offsets as offsets
from billing_common.storage.transaction import ReadConnection, WriteConnection


class Place(NamedTuple):
    """One partition, as one consumer group sees it."""

    group: str
    topic: str
    partition: int


async def read_next_offsets(
    connection: ReadConnection, *, group: str, partitions: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], int]:
    """(topic, partition) -> the next offset to apply. Absent: never started."""
    wanted = list(partitions)
    if not wanted:
        return {}
    rows = await connection.execute(
        select(offsets.c.topic, offsets.c.kafka_partition, offsets.c.next_offset).where(
            offsets.c.consumer_group == group,
            tuple_(offsets.c.topic, offsets.c.kafka_partition).in_(wanted),
        )
    )
    return {(row.topic, row.kafka_partition): row.next_offset for row in rows}


async def lock_next_offset(connection: WriteConnection, place: Place) -> int | None:
    """The next offset to apply, locked: one writer per partition at a time. None: never started."""
    found = await connection.execute(
        select(offsets.c.next_offset).where(_is(place)).with_for_update()
    )
    return found.scalar_one_or_none()


async def begin_offset(
    connection: WriteConnection, place: Place, *, next_offset: int, now: datetime
) -> None:
    """The first batch of a partition. A rival that began it too is a duplicate key, not a race."""
    await connection.execute(
        insert(offsets).values(
            consumer_group=place.group,
            topic=place.topic,
            kafka_partition=place.partition,
            next_offset=next_offset,
            updated_at=now,
        )
    )


async def advance_offset(
    connection: WriteConnection, place: Place, *, expected: int, next_offset: int, now: datetime
) -> bool:
    """Compare-and-set; False when another consumer has moved it."""
    result = await connection.execute(
        update(offsets)
        .where(_is(place), offsets.c.next_offset == expected)
        .values(next_offset=next_offset, updated_at=now)
    )
    return result.rowcount == 1


def _is(place: Place) -> ColumnElement[bool]:
    return and_(
        offsets.c.consumer_group == place.group,
        offsets.c.topic == place.topic,
        offsets.c.kafka_partition == place.partition,
    )
