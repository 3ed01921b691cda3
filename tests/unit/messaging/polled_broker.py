"""A log and a consumer that a test turns by hand, in place of FastStream's broker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace

from aiokafka import TopicPartition

TOPIC = "billing.test.v1"


@dataclass
class RawRecord:
    """As aiokafka hands it out."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple = ()
    timestamp: int = 0


class LogConsumer:
    """aiokafka's consumer over lists: `logs[partition][i]` is the record at offset i."""

    def __init__(self, logs):
        self.logs = logs
        self.assigned = set()
        self.paused_partitions = set()
        self.positions = {}
        self.commits = {}
        self.log_starts = dict.fromkeys(logs, 0)

    def assignment(self):
        return self.assigned

    def seek(self, tp, offset):
        assert tp in self.assigned
        self.positions[tp] = offset

    def pause(self, *tps):
        self.paused_partitions.update(tps)

    def resume(self, *tps):
        self.paused_partitions.difference_update(tps)

    async def commit(self, offsets):
        self.commits.update(offsets)

    async def committed(self, tp):
        return self.commits.get(tp)

    async def beginning_offsets(self, tps):
        return {tp: self.log_starts[tp.partition] for tp in tps}

    async def end_offsets(self, tps):
        return {tp: len(self.logs[tp.partition]) for tp in tps}

    async def getmany(self, *, timeout_ms, max_records):
        raise AssertionError("the test polls")

    def poll(self, max_records=100):
        """The next records of all partitions that are not paused, as one tuple."""
        found = []
        for tp in sorted(self.assigned - self.paused_partitions):
            start = max(self.positions[tp], self.log_starts[tp.partition])
            records = self.logs[tp.partition][start : start + max_records]
            self.positions[tp] = start + len(records)
            found.extend(records)
        return tuple(found)


class PolledBroker:
    """Offers `subscriber` like FastStream's broker; `settings` keeps what was asked for."""

    def __init__(self, logs):
        self.consumer = LogConsumer(logs)
        self.settings = {}
        self.handler = None

    def subscriber(self, topic, **settings):
        self.settings = {"topic": topic, **settings}
        broker = self

        class Subscriber(SimpleNamespace):
            def __call__(self, handler):
                broker.handler = handler
                return handler

        return Subscriber(consumer=self.consumer, running=True, tasks=[])

    @property
    def listener(self):
        return self.settings["listener"]

    async def assign(self, *partitions):
        """A finished rebalance: these are now ours, and positioned."""
        tps = {TopicPartition(TOPIC, number) for number in partitions}
        await self.listener.on_partitions_revoked(set(self.consumer.assigned))
        self.consumer.assigned = tps
        self.consumer.positions = dict.fromkeys(tps, 0)
        self.consumer.paused_partitions = set()
        await self.listener.on_partitions_assigned(tps)
        assert self.consumer.paused_partitions == tps, "nothing is read before its position"
        await settled()

    async def turn(self, max_records=100):
        """One poll, handed to the handler."""
        records = self.consumer.poll(max_records)
        if records:
            await self.handler(records)
        return records


async def settled(rounds=20):
    """Let ready tasks run."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def make_log(partition, count, keys=3):
    return [
        RawRecord(TOPIC, partition, offset, b"k%d" % (offset % keys), b"v%d" % offset)
        for offset in range(count)
    ]
