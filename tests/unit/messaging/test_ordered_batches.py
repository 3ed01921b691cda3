from __future__ import annotations

import asyncio

import pytest
from tests.unit.messaging.polled_broker import TOPIC, PolledBroker, make_log, settled

from billing_common.messaging.backoff import Backoff
from billing_common.messaging.errors import OffsetFenced, OffsetGap
from billing_common.messaging.ordered_batches import OrderedBatchConsumer
from billing_common.messaging.records import Partition

AT_ONCE = Backoff(0.001, 0.001, jitter=lambda: 0.0)


class Database:
    """Stored offsets and applied records; `failures` are raised one after the other."""

    def __init__(self):
        self.next_offset = {}
        self.applied = []
        self.failures = []
        self.blocker = None

    async def load(self, numbers):
        return {n: self.next_offset[n] for n in numbers if n in self.next_offset}

    async def process(self, batch):
        if self.blocker is not None:
            await self.blocker.wait()
        if self.failures:
            raise self.failures.pop(0)
        expected = self.next_offset.get(batch.partition, 0)
        if batch.first_offset > expected:
            raise OffsetGap(expected)
        for record in batch.records:
            if record.offset >= expected:
                self.applied.append((batch.partition, record.offset))
        self.next_offset[batch.partition] = batch.next_offset


@pytest.fixture
def database():
    return Database()


@pytest.fixture
def broker():
    return PolledBroker({0: make_log(0, 10), 1: make_log(1, 10)})


@pytest.fixture
def consumer(database, broker):
    consumer = OrderedBatchConsumer(
        topic=TOPIC,
        group_id="g",
        load_offsets=database.load,
        process=database.process,
        backoff=AT_ONCE,
    )
    consumer.attach(broker)
    return consumer


async def until(condition, broker):
    async with asyncio.timeout(5):
        while not condition():
            await broker.turn(3)
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "failure",
    [RuntimeError("x"), OffsetFenced("x"), OffsetGap(0), asyncio.CancelledError()],
    ids=lambda failure: type(failure).__name__,
)
async def test_a_failed_batch_comes_again_and_others_go_on(consumer, database, broker, failure):
    await broker.assign(0, 1)
    database.failures = [failure, failure]
    await until(lambda: len(database.applied) == 20, broker)
    for number in (0, 1):
        assert [o for p, o in database.applied if p == number] == list(range(10))


async def test_a_failing_partition_waits_and_the_other_does_not(database, broker):
    consumer = OrderedBatchConsumer(
        topic=TOPIC,
        group_id="g",
        load_offsets=database.load,
        process=database.process,
        backoff=Backoff(60.0, 60.0),
    )
    consumer.attach(broker)
    await broker.assign(0, 1)
    database.failures = [RuntimeError("partition 0 comes first")]
    await until(lambda: len(database.applied) == 10, broker)
    assert {p for p, _ in database.applied} == {1}
    await consumer.stop()


async def test_revocation_waits_for_the_batch_under_way(consumer, database, broker):
    await broker.assign(0)
    database.blocker = asyncio.Event()
    turn = asyncio.create_task(broker.turn(5))
    await settled()
    revoke = asyncio.create_task(broker.listener.on_partitions_revoked({*broker.consumer.assigned}))
    await settled()
    assert not revoke.done()
    database.blocker.set()
    await revoke
    assert database.next_offset == {0: 5}
    assert {tp.partition: o for tp, o in broker.consumer.commits.items()} == {0: 5}
    await turn


async def test_cancelling_the_poll_does_not_tear_the_batch(consumer, database, broker):
    await broker.assign(0)
    database.blocker = asyncio.Event()
    turn = asyncio.create_task(broker.turn(5))
    await settled()
    turn.cancel()
    await settled()
    assert not turn.done(), "let go only when the transaction has ended"
    database.blocker.set()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert database.next_offset == {0: 5}


async def test_a_failure_while_being_revoked_leaves_no_pause_behind(consumer, database, broker):
    await broker.assign(0)
    database.blocker = asyncio.Event()
    database.failures = [RuntimeError("x")]
    turn = asyncio.create_task(broker.turn(5))
    await settled()
    revoke = asyncio.create_task(broker.listener.on_partitions_revoked({*broker.consumer.assigned}))
    await settled()
    database.blocker.set()
    await asyncio.gather(turn, revoke)
    await broker.assign(0)
    assert consumer.feed.is_assigned(Partition(TOPIC, 0))
    await until(lambda: len(database.applied) == 10, broker)
