"""The feed hands out every record once, in order, whatever polls and rebalances do."""

from __future__ import annotations

import pytest
from tests.unit.messaging.polled_broker import TOPIC, PolledBroker, make_log, settled

from billing_common.messaging.partition_feed import PartitionFeed
from billing_common.messaging.records import Partition


class Taken:
    """A sink that notes what it took."""

    def __init__(self, starts=None):
        self.starts = starts or {}
        self.offsets = []
        self.revocations = []
        self.fail_next = False
        self.starts_fail = 0

    async def start_offsets(self, partitions):
        if self.starts_fail:
            self.starts_fail -= 1
            raise ConnectionError("the database is away")
        return {p: self.starts[p.number] for p in partitions if p.number in self.starts}

    async def deliver(self, batch):
        if self.fail_next:
            self.fail_next = False
            raise RuntimeError("not taken")
        self.offsets.extend((batch.partition, record.offset) for record in batch.records)

    async def revoked(self, partitions):
        self.revocations.append({p.number for p in partitions})


@pytest.fixture
def sink():
    return Taken()


@pytest.fixture
def broker():
    return PolledBroker({0: make_log(0, 10), 1: make_log(1, 10)})


@pytest.fixture
def feed(sink, broker):
    feed = PartitionFeed(topic=TOPIC, group_id="g", sink=sink, max_records=100)
    feed.attach(broker)
    return feed


async def test_starts_where_the_owner_says_else_at_the_beginning(feed, sink, broker):
    sink.starts = {0: 7}
    await broker.assign(0, 1)
    await broker.turn()
    assert sink.offsets == [(0, o) for o in range(7, 10)] + [(1, o) for o in range(10)]


async def test_reads_nothing_until_the_position_is_known(feed, sink, broker):
    sink.starts, sink.starts_fail = {0: 4}, 1
    await broker.assign(0)
    assert await broker.turn() == ()
    assert not feed.is_assigned(Partition(TOPIC, 0))
    await feed._positioning
    await broker.turn()
    assert sink.offsets == [(0, o) for o in range(4, 10)]


async def test_a_batch_that_was_not_taken_comes_again(feed, sink, broker):
    await broker.assign(0)
    await broker.turn(4)
    sink.fail_next = True
    await broker.turn(4)
    await broker.turn(4)
    await broker.turn(4)
    assert sink.offsets == [(0, o) for o in range(10)]


async def test_records_polled_before_a_rebalance_are_not_handed_out_after_it(feed, sink, broker):
    await broker.assign(0)
    stale = broker.consumer.poll(8)
    sink.starts = {0: 2}
    await broker.assign(0)
    await broker.handler(stale[5:])  # starts past the offset that is due: fetched again
    await broker.turn()
    await broker.handler(stale)  # wholly behind us now
    assert sink.offsets == [(0, o) for o in range(2, 10)]


async def test_nothing_is_handed_out_after_revocation(feed, sink, broker):
    await broker.assign(0, 1)
    polled = broker.consumer.poll()
    await broker.assign(1)
    await broker.handler(polled)
    assert {partition for partition, _ in sink.offsets} == {1}
    assert sink.revocations == [set(), {0, 1}]


async def test_a_hole_in_the_log_is_tried_twice_then_handed_out(feed, sink, broker):
    await broker.assign(0)
    broker.consumer.log_starts[0] = 6
    await broker.turn()
    assert sink.offsets == []
    await broker.turn()
    assert sink.offsets == [(0, o) for o in range(6, 10)]


async def test_an_offset_past_the_end_of_the_log_blocks_only_its_partition(feed, sink, broker):
    sink.starts = {0: 11, 1: 9}
    await broker.assign(0, 1)
    await broker.turn()
    assert feed.blocked == {Partition(TOPIC, 0): "offset_beyond_log_end"}
    assert sink.offsets == [(1, 9)]


async def test_hold_and_pause_do_not_undo_each_other(feed, sink, broker):
    await broker.assign(0, 1)
    feed.pause(Partition(TOPIC, 0))
    feed.hold()
    assert await broker.turn() == ()
    feed.release()
    await broker.turn()
    assert {partition for partition, _ in sink.offsets} == {1}
    feed.resume(Partition(TOPIC, 0))
    await broker.turn()
    assert {partition for partition, _ in sink.offsets} == {0, 1}


async def test_commits_what_was_noted_and_only_for_what_is_ours(feed, broker):
    await broker.assign(0, 1)
    feed.commits.note(Partition(TOPIC, 0), 3)
    feed.commits.note(Partition(TOPIC, 1), 4)
    feed.commits.note(Partition(TOPIC, 9), 5)
    await feed.stop()
    await settled()
    assert {tp.partition: o for tp, o in broker.consumer.commits.items()} == {0: 3, 1: 4}


async def test_liveness_is_about_tasks(feed, broker):
    import asyncio

    task = asyncio.create_task(asyncio.sleep(60))
    feed._subscriber.tasks.append(task)
    assert feed.has_live_task
    task.cancel()
    await settled()
    assert not feed.has_live_task
