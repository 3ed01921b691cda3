from __future__ import annotations

import asyncio
import time

import pytest
from tests.integration.messaging.conftest import read_log

from billing_common.messaging.errors import BrokerUnavailable, RecordRejected
from billing_common.messaging.producer import DurableProducer
from billing_common.messaging.records import OutgoingRecord
from billing_common.observability.transaction_guard import (
    NetworkCallInsideTransaction,
    open_transaction,
)

pytestmark = pytest.mark.connected

NOWHERE = "127.0.0.1:1"


async def test_what_was_sent_stands_where_the_position_says(kafka_server, producer, topic):
    headers = [("trace", b"1"), ("raw", b"\xff\xfe"), ("nothing", None)]
    positions = await asyncio.gather(
        *(
            producer.send(
                topic, key=b"k%d" % n, value=b"v%d" % n, headers=headers, timeout_seconds=10
            )
            for n in range(100)
        )
    )
    log = await read_log(kafka_server.bootstrap_servers, topic)
    for n, position in enumerate(positions):
        record = log[position.partition][position.offset]
        assert (record.key, record.value) == (b"k%d" % n, b"v%d" % n)
        assert list(record.headers) == headers


async def test_a_named_partition_is_used_and_must_exist(kafka_server, producer, topic):
    position = await producer.send(topic, key=b"k", value=b"v", partition=3, timeout_seconds=10)
    assert position.partition == 3
    with pytest.raises(RecordRejected, match="no partition 9"):
        await producer.send(topic, key=b"k", value=b"v", partition=9, timeout_seconds=10)
    with pytest.raises(RecordRejected, match="too large"):
        await producer.send(topic, key=b"k", value=bytes(2**21), timeout_seconds=10)


async def test_refuses_to_send_inside_a_transaction(producer, topic):
    with open_transaction("test"), pytest.raises(NetworkCallInsideTransaction):
        await producer.send(topic, key=b"k", value=b"v", timeout_seconds=10)
    with open_transaction("test"), pytest.raises(NetworkCallInsideTransaction):
        await producer.send_ordered([], timeout_seconds=10)


async def test_send_ordered_keeps_the_order_of_each_key(kafka_server, producer, topic):
    records = [OutgoingRecord(topic, b"k%d" % (n % 7), b"%d" % n) for n in range(300)]
    report = await producer.send_ordered(records, timeout_seconds=20)
    assert report.is_complete
    log = await read_log(kafka_server.bootstrap_servers, topic)
    for key in {record.key for record in records}:
        sent = [int(record.value) for record in records if record.key == key]
        read = [int(r.value) for found in log.values() for r in found if r.key == key]
        assert read == sent


async def test_send_ordered_stops_a_key_at_its_first_failure(kafka_server, producer, topic):
    records = [
        OutgoingRecord(topic, b"a", b"1"),
        OutgoingRecord(topic, b"a", b"2", partition=99),
        OutgoingRecord(topic, b"b", b"1"),
        OutgoingRecord(topic, b"a", b"3"),
        OutgoingRecord(topic, b"b", b"2"),
    ]
    report = await producer.send_ordered(records, timeout_seconds=10)
    assert report.acked == (0, 2, 4)
    assert list(report.errors) == [1]
    log = await read_log(kafka_server.bootstrap_servers, topic)
    assert [r.value for found in log.values() for r in found if r.key == b"a"] == [b"1"]


async def test_without_a_broker_start_and_send_answer_in_time():
    producer = DurableProducer(NOWHERE, client_id="test")
    began = time.monotonic()
    assert await producer.start(timeout_seconds=2) is False
    assert await producer.is_connected(timeout_seconds=1) is False
    with pytest.raises(BrokerUnavailable):
        await producer.send("t", key=b"k", value=b"v", timeout_seconds=1)
    assert await producer.stop() is True
    assert time.monotonic() - began < 4


async def test_an_unknown_topic_answers_in_time(producer):
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        await producer.send("no.such.topic", key=b"k", value=b"v", timeout_seconds=1)
    assert time.monotonic() - began < 2


async def test_a_confused_producer_is_replaced_and_nothing_acked_is_lost(
    kafka_server, producer, topic
):
    acked = []

    async def send(n):
        await producer.send(topic, key=b"k", value=b"%d" % n, partition=0, timeout_seconds=10)
        acked.append(n)

    await send(0)
    confused = producer._producer
    # The broker expects sequence 1 and gets 50: OutOfOrderSequenceNumber, again and again.
    sequences = confused._txn_manager._sequence_numbers
    for place in sequences:
        sequences[place] += 49
    await asyncio.gather(*(send(n) for n in range(1, 40)), return_exceptions=True)
    assert producer._producer is not confused
    await send(40)
    log = await read_log(kafka_server.bootstrap_servers, topic)
    values = {int(record.value) for record in log[0]}
    assert len(acked) > 2
    assert set(acked) <= values


async def test_a_dead_sender_task_is_replaced(kafka_server, producer, topic):
    await producer.send(topic, key=b"k", value=b"1", timeout_seconds=10)
    producer._producer._sender.sender_task.cancel()
    await asyncio.wait({producer._producer._sender.sender_task}, timeout=5)
    await producer.send(topic, key=b"k", value=b"2", timeout_seconds=10)
    log = await read_log(kafka_server.bootstrap_servers, topic)
    assert [r.value for found in log.values() for r in found] == [b"1", b"2"]
