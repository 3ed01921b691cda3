"""The broker in a container takes the declared topics and keeps what it acknowledged."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from billing_common.contracts.topics import ALL_TOPICS, COMMANDS
from billing_common.messaging.topics_admin import ensure_topics

pytestmark = [pytest.mark.connected, pytest.mark.containers]


async def test_the_declared_topics_are_created_once(container_kafka, topic_prefix):
    servers = container_kafka.bootstrap_servers

    created = await ensure_topics(servers, topic_prefix)

    assert created == sorted(topic_prefix + topic.name for topic in ALL_TOPICS)
    assert await ensure_topics(servers, topic_prefix) == []
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        found = await admin.describe_topics(created)
    finally:
        await admin.close()
    assert {topic["topic"]: len(topic["partitions"]) for topic in found} == {
        topic_prefix + topic.name: topic.partitions for topic in ALL_TOPICS
    }


async def test_records_of_one_key_come_back_in_order(container_kafka, topic_prefix):
    topic = topic_prefix + COMMANDS.name
    await ensure_topics(container_kafka.bootstrap_servers, topic_prefix)
    sent = {key: [f"{key}-{number}".encode() for number in range(20)] for key in ("ent_1", "ent_2")}

    await _produce(container_kafka, topic, sent)

    assert await _consume(container_kafka, topic, 40, group=f"{topic_prefix}reader") == sent


async def test_acknowledged_records_survive_kill_9_of_the_container(container_kafka, topic_prefix):
    own = type(container_kafka)(container_kafka.image)
    await asyncio.to_thread(own.start)
    try:
        topic = topic_prefix + COMMANDS.name
        await ensure_topics(own.bootstrap_servers, topic_prefix)
        sent = {"ent_1": [b"one", b"two"]}
        await _produce(own, topic, sent)
        await asyncio.to_thread(own.kill)
        assert not own.is_running()
        await asyncio.to_thread(own.start)
        assert await _consume(own, topic, 2, group=f"{topic_prefix}reader") == sent
    finally:
        await asyncio.to_thread(own.kill)


async def _produce(broker, topic, sent):
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, acks="all", enable_idempotence=True
    )
    await producer.start()
    try:
        for key, values in sent.items():
            for value in values:
                await producer.send_and_wait(topic, value, key=key.encode())
    finally:
        await producer.stop()


async def _consume(broker, topic, count, *, group):
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=broker.bootstrap_servers,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        received: dict[str, list[bytes]] = {}
        async with asyncio.timeout(30):
            for _ in range(count):
                record = await consumer.getone()
                received.setdefault(record.key.decode(), []).append(record.value)
        await consumer.commit()
        return received
    finally:
        await consumer.stop()
