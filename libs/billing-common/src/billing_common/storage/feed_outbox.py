"""billing_feed_outbox and its leases: what is committed but not yet published.

An entity always has the same shard, and a shard has one publisher at a time, so the messages of
an entity reach Kafka in the order of their ids, which is the order of their commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta

from sqlalchemy import delete, func, select, update

from billing_common.storage.insert_once import insert_once
from billing_common.storage.tables import billing_feed_outbox, billing_relay_leases
from billing_common.storage.transaction import ReadConnection, WriteConnection

_LEASE_EXISTS = frozenset({"PRIMARY"})


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message that waits. `topic` is the declared name, without a cluster's prefix."""

    id: int
    topic: str
    key: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ShardLease:
    """The right to publish one shard; `version` proves it when messages are taken out."""

    shard: int
    version: int


def _name(shard: int) -> str:
    return f"feed:{shard}"


async def claim_shard(
    connection: WriteConnection, shard: int, *, owner: str, lease: timedelta
) -> ShardLease | None:
    """Take or renew the shard's lease by the database's clock; None while another holds it.

    Renewing keeps the version; taking it over raises it, which fences the one before.
    """
    t = billing_relay_leases
    wanted = (
        select(t.c.lease_owner, t.c.lease_expires_at, t.c.lease_version, func.utc_timestamp(6))
        .where(t.c.name == _name(shard))
        .with_for_update()
    )
    row = (await connection.execute(wanted)).one_or_none()
    if row is None:
        # Only ever once: two refused inserts would share a lock that neither can then raise.
        await insert_once(connection, t, {"name": _name(shard)}, expected_conflicts=_LEASE_EXISTS)
        row = (await connection.execute(wanted)).one()
    held_by, expires_at, version, clock = row
    now = clock.replace(tzinfo=UTC)
    if held_by != owner and expires_at is not None and expires_at > now:
        return None
    if held_by != owner:
        version += 1
    await connection.execute(
        update(t)
        .where(t.c.name == _name(shard))
        .values(lease_owner=owner, lease_expires_at=now + lease, lease_version=version)
    )
    return ShardLease(shard, version)


async def release_shard(connection: WriteConnection, held: ShardLease, *, owner: str) -> None:
    """Give the lease back, so that the next one need not wait for its end."""
    t = billing_relay_leases
    await connection.execute(
        update(t)
        .where(
            t.c.name == _name(held.shard),
            t.c.lease_owner == owner,
            t.c.lease_version == held.version,
        )
        .values(lease_owner=None, lease_expires_at=None)
    )


async def read_waiting(
    connection: ReadConnection, shard: int, *, limit: int
) -> list[OutboxMessage]:
    """The oldest waiting messages of a shard, in order."""
    t = billing_feed_outbox
    rows = await connection.execute(
        select(t.c.id, t.c.topic, t.c.message_key, t.c.payload)
        .where(t.c.shard == shard)
        .order_by(t.c.id)
        .limit(limit)
    )
    return [OutboxMessage(row.id, row.topic, row.message_key, row.payload) for row in rows]


async def remove_published(
    connection: WriteConnection, held: ShardLease, *, owner: str, message_ids: Sequence[int]
) -> bool:
    """Take acknowledged messages out. False (and nothing removed) when the lease is not ours:
    they will be published again by its holder, which readers drop by version."""
    t = billing_relay_leases
    found = await connection.execute(
        select(t.c.lease_version)
        .where(t.c.name == _name(held.shard), t.c.lease_owner == owner)
        .with_for_update()
    )
    if found.scalar_one_or_none() != held.version:
        return False
    await connection.execute(
        delete(billing_feed_outbox).where(billing_feed_outbox.c.id.in_(message_ids))
    )
    return True


async def count_waiting(connection: ReadConnection) -> int:
    """How many messages wait, over all shards."""
    found = await connection.execute(select(func.count()).select_from(billing_feed_outbox))
    return int(found.scalar_one())
