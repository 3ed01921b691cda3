from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import pytest
from aiokafka import TopicPartition
from tests.unit.messaging.polled_broker import TOPIC, PolledBroker, make_log, settled

from billing_common.domain.errors import PoisonError, TransientError
from billing_common.messaging.backoff import Backoff
from billing_common.messaging.consumer_policy import DeadLetterLimit, FailurePolicy
from billing_common.messaging.dead_letters import DeadLetters
from billing_common.messaging.errors import BrokerUnavailable
from billing_common.messaging.keyed_concurrency import (
    RESTS_PER_LANE_MAX,
    KeyedConcurrencyConsumer,
)
from billing_common.messaging.records import RecordPosition

QUICK = FailurePolicy(backoff=Backoff(0.0005, 0.001))


class LetterBox:
    """Takes dead letters; refuses the first `refusals`."""

    def __init__(self, refusals=0):
        self.letters = []
        self.refusals = refusals

    async def send(self, topic, *, key, value, headers, partition, timeout_seconds):
        if self.refusals:
            self.refusals -= 1
            raise BrokerUnavailable("away")
        self.letters.append((topic, partition, key, value))
        return RecordPosition(topic, partition, len(self.letters))


class Work:
    """Notes when each record began and ended; fails as told by offset."""

    def __init__(self):
        self.done = defaultdict(list)
        self.running = set()
        self.running_max = 0
        self.errors = {}
        self.blockers = {}

    async def handle(self, record):
        assert record.key not in self.running, "one at a time per key"
        self.running.add(record.key)
        self.running_max = max(self.running_max, len(self.running))
        try:
            await asyncio.sleep(random.random() * 0.002)
            if record.offset in self.blockers:
                await self.blockers[record.offset].wait()
            errors = self.errors.get(record.offset)
            if errors:
                raise errors.pop(0)
            self.done[record.key].append(record.offset)
        finally:
            self.running.remove(record.key)


def make(work, box, *, count=60, keys=7, **settings):
    broker = PolledBroker({0: make_log(0, count, keys)})
    consumer = KeyedConcurrencyConsumer(
        topic=TOPIC,
        group_id="g",
        handle=work.handle,
        dead_letters=DeadLetters(box),
        policy=QUICK,
        **settings,
    )
    consumer.attach(broker)
    return consumer, broker


async def until(condition, broker):
    async with asyncio.timeout(5):
        while not condition():
            await broker.turn(10)
            await asyncio.sleep(0.001)


def committed(broker):
    return next(iter(broker.consumer.commits.values()), None)


async def test_keys_go_in_parallel_each_in_order_and_all_is_committed():
    work, box = Work(), LetterBox()
    work.errors = {o: [TransientError()] * 3 for o in (0, 5, 6, 33)} | {9: [KeyError()] * 2}
    consumer, broker = make(work, box, max_in_flight=4)
    await broker.assign(0)
    await until(lambda: sum(map(len, work.done.values())) == 60, broker)
    assert all(offsets == sorted(offsets) for offsets in work.done.values())
    assert 1 < work.running_max <= 4
    await consumer.stop()
    assert committed(broker) == 60
    assert box.letters == []


async def test_nothing_past_an_unfinished_record_is_committed():
    work, box = Work(), LetterBox()
    work.blockers[8] = asyncio.Event()
    consumer, broker = make(work, box, revoke_wait_seconds=0.05)
    await broker.assign(0)
    # Key of offset 8 is stuck; its later records (15, 22, ...) wait, all others finish.
    await until(lambda: sum(map(len, work.done.values())) == 60 - 8, broker)
    await consumer.stop()
    assert committed(broker) == 8


async def test_poison_is_kept_with_its_bytes_and_its_key_goes_on():
    work, box = Work(), LetterBox(refusals=2)
    work.errors[3] = [PoisonError()] * 9
    consumer, broker = make(work, box)
    await broker.assign(0)
    await until(lambda: sum(map(len, work.done.values())) == 59, broker)
    assert box.letters == [(TOPIC + ".dlt", 0, b"k3", b"v3")]
    await consumer.stop()
    assert committed(broker) == 60


async def test_an_unknown_exception_is_given_up_after_five_attempts():
    work, box = Work(), LetterBox()
    work.errors[3] = [ZeroDivisionError()] * 99
    consumer, broker = make(work, box, count=8)
    await broker.assign(0)
    await until(lambda: box.letters, broker)
    assert len(work.errors[3]) == 99 - 5
    await consumer.stop()


async def test_a_handlers_own_cancellation_does_not_end_its_lane():
    work, box = Work(), LetterBox()
    work.errors[3] = [asyncio.CancelledError()] * 2
    consumer, broker = make(work, box, count=20)
    await broker.assign(0)
    await until(lambda: sum(map(len, work.done.values())) == 20, broker)
    await consumer.stop()
    assert committed(broker) == 20


async def test_too_many_dead_letters_stop_the_consumer_for_good():
    work, box, reasons = Work(), LetterBox(), []
    work.errors = {offset: [PoisonError()] * 99 for offset in range(60)}
    consumer, broker = make(
        work, box, dead_letter_limit=DeadLetterLimit(count=3), on_stopped=reasons.append
    )
    await broker.assign(0)
    await until(lambda: consumer.fatal_reason, broker)
    for _ in range(20):
        await broker.turn(10)
        await settled()
    assert reasons == ["dead_letter_limit_exceeded"]
    assert len(box.letters) == 3
    await consumer.stop()
    assert (committed(broker) or 0) <= 3


async def test_queue_is_bounded_by_pausing():
    work, box = Work(), LetterBox()
    gate = asyncio.Event()
    work.blockers = dict.fromkeys(range(1000), gate)
    consumer, broker = make(work, box, count=1000, keys=500, max_in_flight=2)
    await broker.assign(0)
    for _ in range(100):
        await broker.turn(10)
    assert broker.consumer.paused_partitions == broker.consumer.assigned
    assert broker.consumer.positions[next(iter(broker.consumer.assigned))] <= 2 * 8 + 10
    gate.set()
    await until(lambda: sum(map(len, work.done.values())) == 1000, broker)
    await consumer.stop()


async def test_revocation_lets_those_in_flight_finish_and_drops_the_queue():
    work, box = Work(), LetterBox()
    work.blockers[0] = asyncio.Event()
    consumer, broker = make(work, box, count=10, keys=1)
    await broker.assign(0)
    await broker.turn(10)
    await settled()
    revoke = asyncio.create_task(broker.listener.on_partitions_revoked({*broker.consumer.assigned}))
    await asyncio.sleep(0.01)
    assert not revoke.done()
    work.blockers[0].set()
    await revoke
    assert committed(broker) == 1
    await broker.assign(0)
    await until(lambda: len(work.done[b"k0"]) == 10, broker)
    assert work.done[b"k0"] == list(range(10))
    await consumer.stop()


async def test_work_that_outlives_its_assignment_commits_nothing_and_keeps_its_key_in_order():
    work, box = Work(), LetterBox()
    work.blockers[0] = asyncio.Event()
    consumer, broker = make(work, box, count=10, keys=1, revoke_wait_seconds=0.01)
    await broker.assign(0)
    await broker.turn(10)
    await settled()
    await broker.assign(0)  # revoked while offset 0 is still under way, and back
    assert committed(broker) is None
    await broker.turn(10)
    work.blockers[0].set()
    # Offset 0 ran twice, one after the other (Work would fail on two at once), then the rest.
    await until(lambda: len(work.done[b"k0"]) == 11, broker)
    assert work.done[b"k0"] == [0, *range(10)]
    await consumer.stop()
    assert committed(broker) == 10


async def test_work_that_outlives_its_assignment_does_not_move_the_offset_back():
    work, box = Work(), LetterBox()
    work.blockers = {0: asyncio.Event(), 5: asyncio.Event()}
    consumer, broker = make(work, box, count=10, keys=1, revoke_wait_seconds=0.01)
    await broker.assign(0)
    await broker.turn(10)
    await settled()
    await broker.assign()
    # Meanwhile another member did 0 to 4; now the partition is ours again.
    broker.consumer.commits[TopicPartition(TOPIC, 0)] = 5
    await broker.assign(0)
    await broker.turn(10)
    work.blockers[0].set()
    await until(lambda: work.done[b"k0"] == [0], broker)
    await settled()
    await consumer.stop()
    assert committed(broker) == 5


@pytest.mark.parametrize("seed", range(5))
async def test_random_rebalances_lose_nothing(seed):
    chance = random.Random(seed)
    work, box = Work(), LetterBox()
    work.errors = {o: [TransientError()] for o in range(0, 300, 11)}
    consumer, broker = make(work, box, count=300, keys=20, max_in_flight=5)
    await broker.assign(0)
    async with asyncio.timeout(20):
        while len({o for offsets in work.done.values() for o in offsets}) < 300:
            await broker.turn(chance.randint(1, 40))
            if chance.random() < 0.1:
                await broker.assign(0)
            await asyncio.sleep(0.001)
    await consumer.stop()
    assert committed(broker) == 300
    for offsets in work.done.values():
        first_times = list(dict.fromkeys(offsets))
        assert first_times == sorted(first_times)


class TwoParts(Work):
    """Every record leaves a rest, which waits for `gate` when its offset is in `held`."""

    def __init__(self):
        super().__init__()
        self.begun = defaultdict(list)
        self.held = set()
        self.gate = asyncio.Event()
        self.resting = self.resting_max = 0

    async def handle(self, record):
        self.begun[record.key].append(record.offset)

        async def rest():
            self.resting += 1
            self.resting_max = max(self.resting_max, self.resting)
            try:
                if record.offset in self.held:
                    await self.gate.wait()
                errors = self.errors.get(record.offset)
                if errors:
                    raise errors.pop(0)
                self.done[record.key].append(record.offset)
            finally:
                self.resting -= 1

        return rest


async def test_a_rest_does_not_keep_its_key_waiting_and_is_committed_last():
    work, box = TwoParts(), LetterBox()
    work.held = {0}
    consumer, broker = make(work, box, keys=1, count=20, revoke_wait_seconds=0.05)
    await broker.assign(0)
    await until(lambda: sum(map(len, work.done.values())) == 19, broker)
    assert work.begun[b"k0"] == list(range(20)), "begun in order"
    assert committed(broker) in (None, 0), "nothing past an unfinished record"
    work.gate.set()
    await until(lambda: len(work.done[b"k0"]) == 20, broker)
    await consumer.stop()
    assert committed(broker) == 20


async def test_a_failing_rest_is_handled_again_from_the_start_or_given_up():
    work, box = TwoParts(), LetterBox()
    work.errors = {1: [TransientError()] * 3, 2: [PoisonError()] * 9}
    consumer, broker = make(work, box, keys=1, count=6)
    await broker.assign(0)
    await until(lambda: len(work.done[b"k0"]) == 5, broker)
    assert work.begun[b"k0"].count(1) == 4
    assert box.letters == [(TOPIC + ".dlt", 0, b"k0", b"v2")]
    await consumer.stop()
    assert committed(broker) == 6


async def test_one_key_may_not_take_all_the_slots():
    work, box = TwoParts(), LetterBox()
    work.held = set(range(0, 60, 2))
    consumer, broker = make(work, box, keys=2, max_in_flight=RESTS_PER_LANE_MAX + 2)
    await broker.assign(0)
    await until(lambda: len(work.done[b"k1"]) == 30, broker)
    assert len(work.begun[b"k0"]) == RESTS_PER_LANE_MAX
    work.gate.set()
    await until(lambda: len(work.done[b"k0"]) == 30, broker)
    await consumer.stop()
    assert committed(broker) == 60
    assert consumer._rests == {}


async def test_a_revoked_partition_waits_for_its_rests():
    work, box = TwoParts(), LetterBox()
    work.held = {0}
    consumer, broker = make(work, box, keys=1, count=1)
    await broker.assign(0)
    await until(lambda: work.resting == 1, broker)
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.sleep(0.02)
    assert not stopping.done()
    work.gate.set()
    async with asyncio.timeout(5):
        await stopping
    assert committed(broker) == 1
