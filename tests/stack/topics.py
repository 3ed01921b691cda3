"""What stands on Kafka: snapshots, dead letters, and how far projection has read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from tests.fixtures.stack_processes import WholeStack

from billing_common.contracts.feeds import EntitlementSnapshot
from billing_common.contracts.topics import (
    ENTITLEMENTS,
    PRIMARY_TOPICS,
    STRIPE_EVENTS,
    dead_letter_name,
)


async def entitlement_snapshots(stack: WholeStack) -> dict[int, EntitlementSnapshot]:
    """The newest snapshot of each entity, as a reader of billing.entitlements.v1 keeps it."""
    newest: dict[int, EntitlementSnapshot] = {}
    for value in await _records(stack, ENTITLEMENTS.name, ENTITLEMENTS.partitions):
        snapshot: EntitlementSnapshot = EntitlementSnapshot.from_bytes(value)
        known = newest.get(snapshot.billable_entity_id)
        if known is None or snapshot.version > known.version:
            newest[snapshot.billable_entity_id] = snapshot
    return newest


async def dead_letters(stack: WholeStack) -> dict[str, int]:
    """How many messages were given up, by topic; topics without any are left out."""
    found = {}
    for topic in PRIMARY_TOPICS:
        name = dead_letter_name(topic.name)
        records = await _records(stack, name, topic.partitions)
        if records:
            found[name] = len(records)
    return found


async def unread_events(stack: WholeStack) -> int:
    """Records of the event log that projection has not stored the offset of."""
    stored = dict(
        await stack.rows(
            "SELECT kafka_partition, next_offset FROM billing_consumer_offsets"
            f" WHERE topic = '{STRIPE_EVENTS.name}'"
        )
    )
    async with _reader(stack) as reader:
        ends = await reader.end_offsets(_partitions(STRIPE_EVENTS.name, STRIPE_EVENTS.partitions))
    return sum(end - stored.get(one.partition, 0) for one, end in ends.items())


async def _records(stack: WholeStack, topic: str, partitions: int) -> list[bytes]:
    """All values of a topic, from its beginning to where it ends now."""
    wanted = _partitions(topic, partitions)
    async with _reader(stack) as reader:
        reader.assign(wanted)
        ends = await reader.end_offsets(wanted)
        values: list[bytes] = []
        while any([await reader.position(one) < ends[one] for one in wanted]):
            batches: dict[Any, list[Any]] = await reader.getmany(timeout_ms=500)
            values += [record.value for batch in batches.values() for record in batch]
        return values


@asynccontextmanager
async def _reader(stack: WholeStack) -> AsyncIterator[AIOKafkaConsumer]:
    """Without a group: takes no part, moves no offset."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=stack.kafka.bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()


def _partitions(topic: str, count: int) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(count)]
