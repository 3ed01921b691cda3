from __future__ import annotations

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from holdfast_cli.servers import KafkaServer, ServerStartFailed, free_port
from holdfast_cli.servers.install import (
    default_cache_dir,
    fetch_kafka_jars,
    install_java_and_maven,
)

pytestmark = pytest.mark.connected


@pytest.fixture
def broker(tmp_path):
    install_java_and_maven(lambda line: None)
    jars = fetch_kafka_jars(default_cache_dir(), say=lambda line: None)
    broker = KafkaServer(tmp_path / "kafka", free_port(), free_port(), jars)
    yield broker
    broker.stop()


async def _create_topic(broker, name):
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def _produce(broker, topic, values):
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, acks="all", enable_idempotence=True
    )
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def _read_all(broker, topic):
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        values = []
        while await consumer.position(partition) < end:
            values.append((await consumer.getone()).value)
        return values
    finally:
        await consumer.stop()


async def test_acknowledged_records_survive_kill_9_and_restart_on_the_same_port(broker):
    broker.start()
    await _create_topic(broker, "kept")
    sent = [f"record {number}".encode() for number in range(50)]
    await _produce(broker, "kept", sent)
    broker.kill()
    assert not broker.is_running()
    broker.start()
    assert await _read_all(broker, "kept") == sent
    await _produce(broker, "kept", [b"after"])
    assert await _read_all(broker, "kept") == [*sent, b"after"]


async def test_a_topic_that_nobody_created_is_not_made_by_the_way(broker):
    broker.start()
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, request_timeout_ms=2000)
    await producer.start()
    try:
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.send_and_wait("nobody-created-this", b"x")
    finally:
        await producer.stop()


def test_a_taken_port_is_told_with_its_owner(broker, tmp_path):
    broker.start()
    second = KafkaServer(tmp_path / "second", free_port(), broker.controller_port, broker.libs_dir)
    with pytest.raises(ServerStartFailed) as refusal:
        second.start()
    assert f"port {broker.controller_port}" in refusal.value.reason
    assert f"(pid {broker.pid})" in refusal.value.reason


def test_missing_jars_are_told_before_anything_starts(tmp_path):
    broker = KafkaServer(tmp_path / "kafka", free_port(), free_port(), tmp_path / "nothing")
    with pytest.raises(ServerStartFailed, match="no Kafka jars"):
        broker.start()
    assert not broker.is_running()
