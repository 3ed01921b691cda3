"""The broker dies and comes back: every ack was true, every answer came in time, all goes on."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.integration.messaging.conftest import create_topic, read_log, until
from tests.integration.messaging.test_ordered_consumer import Member, OffsetTable

from billing_common.messaging.errors import BrokerUnavailable
from billing_common.messaging.producer import DurableProducer
from billing_common.messaging.replies import ReplyInbox

pytestmark = pytest.mark.connected

SEND_TIMEOUT_SECONDS = 1.0


class Load:
    """Sends without a pause and keeps the books."""

    def __init__(self, producer, topic):
        self.producer, self.topic = producer, topic
        self.acked, self.refused, self.slowest_seconds = [], 0, 0.0
        self.is_over = False

    async def run(self, lane):
        n = 0
        while not self.is_over:
            n += 1
            value = b"%d-%d" % (lane, n)
            began = time.monotonic()
            try:
                await self.producer.send(
                    self.topic,
                    key=b"k%d" % lane,
                    value=value,
                    timeout_seconds=SEND_TIMEOUT_SECONDS,
                )
                self.acked.append(value)
                await asyncio.sleep(0.002)
            except BrokerUnavailable:
                self.refused += 1
                await asyncio.sleep(0.02)
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)


@pytest.mark.requirement("EVT-03")
@pytest.mark.slow
async def test_every_ack_is_durable_and_every_refusal_is_quick(private_kafka_server):
    servers = private_kafka_server.bootstrap_servers
    topic = await create_topic(servers, "orders")
    replies = await create_topic(servers, "replies")
    producer = DurableProducer(servers, client_id="test")
    table = OffsetTable()
    member = await Member(private_kafka_server, topic, table, "a", max_records=500).start()
    inbox = ReplyInbox(servers, topic=replies, partition=0, client_id="test")
    assert await inbox.start()
    load = Load(producer, topic)
    lanes = [asyncio.create_task(load.run(lane)) for lane in range(8)]
    try:
        await until(lambda: len(load.acked) > 300)
        await asyncio.to_thread(private_kafka_server.kill)
        await until(lambda: load.refused > 8)
        assert not await producer.is_connected()
        before = len(load.acked)
        await asyncio.to_thread(private_kafka_server.start)
        await until(lambda: len(load.acked) > before + 300, timeout_seconds=30)
        assert await producer.is_connected()
        load.is_over = True
        await asyncio.gather(*lanes)
        # A stuck event loop or a slow machine adds a little; the client's own 10 s would not fit.
        assert load.slowest_seconds < SEND_TIMEOUT_SECONDS + 1.5

        log = await read_log(servers, topic)
        values = [record.value for records in log.values() for record in records]
        assert set(load.acked) <= set(values)

        await until(lambda: sum(table.next_offset.values()) == len(values), timeout_seconds=30)
        for records in table.applied.values():
            assert [record.offset for record in records] == list(range(len(records)))

        await until(lambda: inbox.is_listening)
        with inbox.expect("op") as expected:
            await producer.send(replies, key=b"op", value=b"r", partition=0, timeout_seconds=10)
            assert await expected.received(timeout_seconds=15)
    finally:
        load.is_over = True
        await asyncio.gather(*lanes)
        await inbox.stop()
        await member.stop()
        await producer.stop()
