"""The outbox of the two feeds: written with the change, published after the commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from billing_common.storage.tables import billable_entities, billing_feed_outbox
from billing_common.storage.transaction import WriteConnection


@dataclass(frozen=True, slots=True)
class FeedMessage:
    """One message to publish. `topic` is the declared name, without a cluster's prefix."""

    billable_entity_id: int
    topic: str
    payload: bytes


async def read_versions(connection: WriteConnection, entity_ids: Iterable[int]) -> dict[int, int]:
    """The version of each entity's last committed change. The entity rows are locked already."""
    wanted = list(entity_ids)
    if not wanted:
        return {}
    rows = await connection.execute(
        select(billable_entities.c.id, billable_entities.c.entitlement_version).where(
            billable_entities.c.id.in_(wanted)
        )
    )
    return {row.id: row.entitlement_version for row in rows}


async def raise_versions(connection: WriteConnection, entity_ids: Iterable[int]) -> None:
    """Each entity's next version; under its lock, so versions are gapless in commit order."""
    wanted = list(entity_ids)
    if wanted:
        await connection.execute(
            update(billable_entities)
            .where(billable_entities.c.id.in_(wanted))
            .values(entitlement_version=billable_entities.c.entitlement_version + 1)
        )


async def append(
    connection: WriteConnection,
    messages: Sequence[FeedMessage],
    *,
    shards: int,
    now: datetime,
) -> None:
    """Queue messages. One entity always has the same shard, hence one publisher and one order."""
    if not messages:
        return
    await connection.execute(
        insert(billing_feed_outbox),
        [
            {
                "shard": message.billable_entity_id % shards,
                "billable_entity_id": message.billable_entity_id,
                "topic": message.topic,
                "message_key": str(message.billable_entity_id),
                "payload": message.payload,
                "created_at": now,
            }
            for message in messages
        ],
    )
