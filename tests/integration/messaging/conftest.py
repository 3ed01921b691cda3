from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from billing_common.messaging.producer import DurableProducer


@pytest.fixture
async def producer(kafka_server) -> AsyncIterator[DurableProducer]:
    producer = DurableProducer(kafka_server.bootstrap_servers, client_id="test")
    yield producer
    await producer.stop()


@pytest.fixture
async def topic(kafka_server, topic_prefix) -> str:
    """A topic of the test's own, with its dead-letter topic: four partitions each."""
    return await create_topic(kafka_server.bootstrap_servers, f"{topic_prefix}orders")


async def create_topic(bootstrap_servers: str, name: str, partitions: int = 4) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(n, partitions, 1) for n in (name, f"{name}.dlt")])
    finally:
        await admin.close()
    return name


async def read_log(bootstrap_servers: str, topic: str, partitions: int = 4):
    """Every record of the topic as it stands now, by partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=None, auto_offset_reset="earliest"
    )
    tps = [TopicPartition(topic, number) for number in range(partitions)]
    consumer.assign(tps)
    await consumer.start()
    try:
        due = {tp: end for tp, end in (await consumer.end_offsets(tps)).items() if end}
        found = {tp.partition: [] for tp in tps}
        async with asyncio.timeout(15):
            while any(len(found[tp.partition]) < end for tp, end in due.items()):
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[tp.partition].extend(records)
        return found
    finally:
        await consumer.stop()


async def until(condition: Callable[[], object], timeout_seconds: float = 20.0) -> None:
    """Poll with a deadline."""
    async with asyncio.timeout(timeout_seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event of ours
            await asyncio.sleep(0.01)
