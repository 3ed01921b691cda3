"""The feed relay on a real database and a real broker: nothing lost, order kept per entity."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from aiokafka import AIOKafkaConsumer
from sqlalchemy import insert, select, text
from tests.fixtures.backend import KafkaBroker
from tests.fixtures.databases import Database as OwnDatabase

from billing_common.contracts.topics import CHANGES, ENTITLEMENTS, TopicNames
from billing_common.messaging.producer import DurableProducer
from billing_common.relay import feed_relay
from billing_common.relay.feed_relay import SHARDS, FeedRelay
from billing_common.storage.database_errors import DatabaseUnavailable
from billing_common.storage.feed_outbox import claim_shard, remove_published
from billing_common.storage.tables import (
    billable_entities,
    billing_feed_outbox,
    billing_relay_leases,
)
from billing_common.storage.transaction import Database, WriteConnection

pytestmark = pytest.mark.connected
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
T = TypeVar("T")


class DyingDatabase(Database):
    """Dies in the transaction that would take published messages out, until `is_dying` is off."""

    is_dying = True

    async def write(self, closure: Callable[[WriteConnection], Awaitable[T]], *, name: str) -> T:
        if self.is_dying and name == "remove_published_feed":
            raise DatabaseUnavailable("the process died here")
        return await super().write(closure, name=name)


@pytest.fixture
async def producer(kafka_server: KafkaBroker) -> AsyncIterator[DurableProducer]:
    producer = DurableProducer(kafka_server.bootstrap_servers, client_id="test-relay")
    await producer.start()
    yield producer
    await producer.stop()


async def make_entities(database: OwnDatabase, count: int) -> list[int]:
    async with database.engine.begin() as connection:
        return [
            int(
                (
                    await connection.execute(
                        insert(billable_entities).values(
                            entity_type="external",
                            entity_ref=f"e{number}",
                            created_at=NOW,
                            updated_at=NOW,
                        )
                    )
                ).lastrowid
            )
            for number in range(count)
        ]


async def queue(
    database: OwnDatabase, entity_ids: Sequence[int], *, versions: range, topic: str
) -> None:
    """One message per entity and version, entities taking turns, as commits would."""
    async with database.engine.begin() as connection:
        for version in versions:
            for entity_id in entity_ids:
                await connection.execute(
                    insert(billing_feed_outbox).values(
                        shard=entity_id % SHARDS,
                        billable_entity_id=entity_id,
                        topic=topic,
                        message_key=str(entity_id),
                        payload=str(version).encode(),
                        created_at=NOW,
                    )
                )


async def waiting(database: OwnDatabase) -> int:
    async with database.engine.connect() as connection:
        return len((await connection.execute(select(billing_feed_outbox.c.id))).all())


async def until_at_most(database: OwnDatabase, count: int) -> None:
    async with asyncio.timeout(20):
        while await waiting(database) > count:  # noqa: ASYNC110 - it happens in the database
            await asyncio.sleep(0.05)


async def end_leases(database: OwnDatabase) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(
            text(
                "update billing_relay_leases "
                "set lease_expires_at = utc_timestamp(6) - interval 1 second"
            )
        )


async def published(kafka: KafkaBroker, topic: str) -> dict[int, list[int]]:
    """Versions per entity, in the order of the log."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        found: dict[int, list[int]] = defaultdict(list)
        while sum(ends.values()) > sum(map(len, found.values())):
            batch = await consumer.getmany(timeout_ms=500)
            for record in (record for records in batch.values() for record in records):
                found[int(record.key)].append(int(record.value))
        return dict(found)
    finally:
        await consumer.stop()


def relay_on(
    database: OwnDatabase, producer: DurableProducer, prefix: str, owner: str, **other: Any
) -> FeedRelay:
    return FeedRelay(
        database=other.get("through") or Database(database.engine),
        producer=producer,
        names=TopicNames(prefix),
        owner=owner,
    )


@pytest.mark.requirement("LIM-06")
async def test_everything_is_published_once_in_the_order_of_each_entity(
    database: OwnDatabase,
    producer: DurableProducer,
    kafka_server: KafkaBroker,
    prefixed_topics: str,
) -> None:
    entities = await make_entities(database, 5)
    for topic in (CHANGES, ENTITLEMENTS):
        await queue(database, entities, versions=range(1, 21), topic=topic.name)
    relay = relay_on(database, producer, prefixed_topics, "one")
    assert await relay.run_once() == 5 * 20 * 2
    assert await waiting(database) == 0
    for topic in (CHANGES, ENTITLEMENTS):
        found = await published(kafka_server, TopicNames(prefixed_topics).of(topic))
        assert found == {entity: list(range(1, 21)) for entity in entities}


async def test_nothing_leaves_the_table_before_the_broker_has_it(database: OwnDatabase) -> None:
    [entity] = await make_entities(database, 1)
    await queue(database, [entity], versions=range(1, 4), topic=CHANGES.name)
    nowhere = DurableProducer("127.0.0.1:1", client_id="test-nowhere")
    try:
        assert await relay_on(database, nowhere, "unused.", "one").run_once() == 0
    finally:
        await nowhere.stop()
    assert await waiting(database) == 3


async def test_dying_between_sending_and_removing_repeats_and_loses_nothing(
    database: OwnDatabase,
    producer: DurableProducer,
    kafka_server: KafkaBroker,
    prefixed_topics: str,
) -> None:
    entities = await make_entities(database, 2)
    await queue(database, entities, versions=range(1, 4), topic=CHANGES.name)
    dying = relay_on(
        database, producer, prefixed_topics, "dying", through=DyingDatabase(database.engine)
    )
    assert await dying.run_once() == 0
    assert await waiting(database) == 6
    await end_leases(database)
    assert await relay_on(database, producer, prefixed_topics, "next").run_once() == 6
    assert await waiting(database) == 0
    found = await published(kafka_server, TopicNames(prefixed_topics).of(CHANGES))
    assert found == {entity: [1, 2, 3, 1, 2, 3] for entity in entities}


async def test_one_relay_holds_a_shard_and_a_successor_takes_it_when_the_lease_ends(
    database: OwnDatabase,
    producer: DurableProducer,
    kafka_server: KafkaBroker,
    prefixed_topics: str,
) -> None:
    [entity] = await make_entities(database, 1)
    first = relay_on(database, producer, prefixed_topics, "first")
    second = relay_on(database, producer, prefixed_topics, "second")
    assert await first.run_once() == 0  # holds all shards now
    await queue(database, [entity], versions=range(1, 3), topic=CHANGES.name)
    assert await second.run_once() == 0
    await end_leases(database)
    third = relay_on(database, producer, prefixed_topics, "third")
    assert await third.run_once() == 2

    # The first one wakes up and still believes in its lease: it may send, it may not remove.
    await queue(database, [entity], versions=range(3, 5), topic=CHANGES.name)
    await first.run_once()
    assert await waiting(database) == 2
    assert await third.run_once() == 2
    assert await waiting(database) == 0
    found = await published(kafka_server, TopicNames(prefixed_topics).of(CHANGES))
    assert sorted(set(found[entity])) == [1, 2, 3, 4]


async def test_taking_over_raises_the_version_and_renewing_keeps_it(database: OwnDatabase) -> None:
    through = Database(database.engine)
    lease = timedelta(seconds=15)

    async def claim(owner: str) -> Any:
        return await through.write(
            lambda connection: claim_shard(connection, 0, owner=owner, lease=lease), name="claim"
        )

    mine = await claim("mine")
    assert await claim("mine") == mine
    assert await claim("theirs") is None
    await end_leases(database)
    theirs = await claim("theirs")
    assert theirs.version == mine.version + 1
    [entity] = await make_entities(database, 1)
    await queue(database, [entity], versions=range(1, 2), topic=CHANGES.name)
    async with database.engine.connect() as connection:
        ids = list((await connection.execute(select(billing_feed_outbox.c.id))).scalars())
    for lost in (("mine", mine), ("theirs", mine)):
        is_removed = await through.write(
            lambda connection, lost=lost: remove_published(  # type: ignore[misc]
                connection, lost[1], owner=lost[0], message_ids=ids
            ),
            name="remove",
        )
        assert not is_removed
    assert await waiting(database) == 1


async def test_two_relays_claiming_at_once_never_hold_the_same_shard(
    database: OwnDatabase,
) -> None:
    through = Database(database.engine)

    async def claim_all(owner: str) -> set[int]:
        held = set()
        for shard in range(SHARDS):
            found = await through.write(
                lambda connection, shard=shard: claim_shard(  # type: ignore[misc]
                    connection, shard, owner=owner, lease=timedelta(seconds=15)
                ),
                name="claim",
            )
            if found is not None:
                held.add(shard)
        return held

    held = await asyncio.gather(*(claim_all(owner) for owner in ("a", "b", "c", "d")))
    assert sorted(shard for shards in held for shard in shards) == list(range(SHARDS))


async def test_a_message_that_cannot_be_sent_holds_up_no_other_shard_and_ends_nothing(
    database: OwnDatabase,
    producer: DurableProducer,
    kafka_server: KafkaBroker,
    prefixed_topics: str,
) -> None:
    entities = await make_entities(database, SHARDS)
    await queue(database, entities[:1], versions=range(1, 2), topic="billing.nobody-knows.v1")
    await queue(database, entities, versions=range(1, 3), topic=CHANGES.name)
    relay = relay_on(database, producer, prefixed_topics, "one")
    task = asyncio.create_task(relay.run())
    try:
        await until_at_most(database, 3)
        assert not task.done()
        assert await relay.is_live()
    finally:
        task.cancel()
        await asyncio.wait({task})
    found = await published(kafka_server, TopicNames(prefixed_topics).of(CHANGES))
    assert found == {entity: [1, 2] for entity in entities[1:]}


async def test_stopping_gives_the_leases_back(
    database: OwnDatabase, producer: DurableProducer, prefixed_topics: str
) -> None:
    [entity] = await make_entities(database, 1)
    await queue(database, [entity], versions=range(1, 2), topic=CHANGES.name)
    task = asyncio.create_task(relay_on(database, producer, prefixed_topics, "one").run())
    await until_at_most(database, 0)
    task.cancel()
    await asyncio.wait({task})
    async with database.engine.connect() as connection:
        owners = await connection.execute(select(billing_relay_leases.c.lease_owner))
        assert set(owners.scalars()) == {None}


async def test_a_relay_whose_lease_is_nearly_over_does_not_begin_to_send(
    database: OwnDatabase,
    producer: DurableProducer,
    kafka_server: KafkaBroker,
    prefixed_topics: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sent late, an old snapshot would be the last one that compaction keeps."""
    [entity] = await make_entities(database, 1)
    await queue(database, [entity], versions=range(1, 3), topic=ENTITLEMENTS.name)
    monkeypatch.setattr(feed_relay, "SEND_AFTER_CLAIM_SECONDS_MAX", 0.0)
    assert await relay_on(database, producer, prefixed_topics, "slow").run_once() == 0
    assert await published(kafka_server, TopicNames(prefixed_topics).of(ENTITLEMENTS)) == {}
    assert await waiting(database) == 2
