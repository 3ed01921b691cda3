"""Strict order and no gap while members come and go and batches fail: on a real broker."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import pytest
from tests.integration.messaging.conftest import until

from billing_common.messaging.backoff import Backoff
from billing_common.messaging.broker import make_broker, start_broker, stop_broker
from billing_common.messaging.consumer_health import ConsumerHealth
from billing_common.messaging.errors import BrokerUnavailable, OffsetFenced, OffsetGap
from billing_common.messaging.ordered_batches import OrderedBatchConsumer

pytestmark = pytest.mark.connected

POISON_HEADERS = [("content-type", None), ("correlation_id", b"\xff\xfe"), ("reply_to", b"t")]


class OffsetTable:
    """A database in memory: compare-and-set of the offset together with what was applied."""

    def __init__(self, chance=None):
        self.next_offset = {}
        self.applied = defaultdict(list)
        self.owners = {}
        self.overlaps = []
        self.chance = chance

    async def load(self, numbers):
        await asyncio.sleep(0)
        return {n: self.next_offset[n] for n in numbers if n in self.next_offset}

    def processor(self, member):
        async def process(batch):
            if batch.partition in self.owners:
                self.overlaps.append((batch.partition, self.owners[batch.partition], member))
            self.owners[batch.partition] = member
            try:
                await self._transaction(batch)
            finally:
                self.owners.pop(batch.partition, None)

        return process

    async def _transaction(self, batch):
        expected = self.next_offset.get(batch.partition, 0)
        if batch.first_offset > expected:
            raise OffsetGap(expected)
        if self.chance is not None:
            dice = self.chance.random()
            if dice < 0.05:
                raise RuntimeError("early failure")
            if dice < 0.08:
                raise asyncio.CancelledError
            await asyncio.sleep(0.05 if dice > 0.9 else 0.001)
            if dice < 0.12:
                raise RuntimeError("late failure")
        if self.next_offset.get(batch.partition, 0) != expected:
            raise OffsetFenced("moved")
        self.applied[batch.partition] += [r for r in batch.records if r.offset >= expected]
        self.next_offset[batch.partition] = batch.next_offset


class Member:
    """One replica: a broker connection and its consumer."""

    def __init__(self, kafka_server, topic, table, name, max_records=20):
        self.consumer = OrderedBatchConsumer(
            topic=topic,
            group_id=f"{topic}.projection",
            load_offsets=table.load,
            process=table.processor(name),
            max_records=max_records,
            backoff=Backoff(0.01, 0.05),
        )
        self.broker = make_broker(kafka_server.bootstrap_servers, client_id=name)
        self.consumer.attach(self.broker)

    async def start(self):
        await start_broker(self.broker, timeout_seconds=30)
        return self

    async def stop(self):
        await self.consumer.stop()
        assert await stop_broker(self.broker, timeout_seconds=15)


async def test_members_join_and_leave_while_batches_fail(kafka_server, producer, topic):
    table = OffsetTable(random.Random(7))
    count = 1200

    async def produce():
        for start in range(0, count, 40):
            await asyncio.gather(
                *(
                    producer.send(
                        topic,
                        key=b"k%d" % (n % 37),
                        value=b"not json {" if n % 50 == 7 else b"%d" % n,
                        headers=POISON_HEADERS if n % 91 == 0 else (),
                        timeout_seconds=10,
                    )
                    for n in range(start, start + 40)
                )
            )
            await asyncio.sleep(0.15)

    producing = asyncio.create_task(produce())
    first = await Member(kafka_server, topic, table, "a").start()
    await until(lambda: sum(map(len, table.applied.values())) > 100)
    second = await Member(kafka_server, topic, table, "b").start()
    await until(lambda: sum(map(len, table.applied.values())) > 300)
    await first.stop()
    await until(lambda: sum(map(len, table.applied.values())) > 500)
    third = await Member(kafka_server, topic, table, "c").start()
    await producing
    await until(lambda: sum(map(len, table.applied.values())) >= count)
    await asyncio.gather(second.stop(), third.stop())

    assert table.overlaps == []
    for records in table.applied.values():
        assert [record.offset for record in records] == list(range(len(records)))
    assert sum(map(len, table.applied.values())) == count
    damaged = [r for records in table.applied.values() for r in records if r.headers]
    assert len(damaged) == len(range(0, count, 91))
    assert all(list(record.headers) == POISON_HEADERS for record in damaged)


async def test_starts_at_the_stored_offset_whatever_kafka_says(kafka_server, producer, topic):
    table = OffsetTable()
    for n in range(10):
        await producer.send(topic, key=b"k", value=b"%d" % n, partition=0, timeout_seconds=10)
    member = await Member(kafka_server, topic, table, "a").start()
    await until(lambda: table.next_offset.get(0) == 10)
    await member.stop()

    table.next_offset[0] = 4  # restored from a backup; Kafka's group has committed 10
    table.applied.clear()
    member = await Member(kafka_server, topic, table, "a").start()
    await until(lambda: table.next_offset.get(0) == 10)
    await member.stop()
    assert [record.offset for record in table.applied[0]] == list(range(4, 10))


async def test_health_sees_a_dead_consume_task_that_looks_alive(kafka_server, producer, topic):
    member = await Member(kafka_server, topic, OffsetTable(), "a").start()
    try:
        reasons = []
        health = ConsumerHealth([member.consumer], on_dead=reasons.append)
        await health.check()
        assert await health.is_live()
        [subscriber] = member.broker.subscribers
        for task in subscriber.tasks:
            task.cancel()
        await until(lambda: not member.consumer.has_live_task)
        assert subscriber.running
        assert subscriber.consumer.assignment(), "it keeps its partitions though nobody reads"
        await health.check()
        assert not await health.is_live()
        assert reasons == [f"{topic}.projection: consume_task_ended"]
    finally:
        await member.stop()


async def test_a_start_without_a_broker_ends_in_time_and_says_why():
    class Nowhere:
        bootstrap_servers = "127.0.0.1:1"

    member = Member(Nowhere, "t", OffsetTable(), "a")
    with pytest.raises(BrokerUnavailable, match="KAFKA_BOOTSTRAP_SERVERS"):
        await start_broker(member.broker, timeout_seconds=1.5)
    await member.stop()
