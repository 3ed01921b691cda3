"""Many keys at once, order per key, nothing lost: rebalances, poison, and a killed process."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from tests.integration.messaging.conftest import read_log, until

from billing_common.domain.errors import PoisonError, TransientError
from billing_common.messaging.backoff import Backoff
from billing_common.messaging.broker import make_broker, start_broker, stop_broker
from billing_common.messaging.consumer_policy import FailurePolicy
from billing_common.messaging.dead_letters import (
    ATTEMPTS,
    REASON,
    SOURCE_OFFSET,
    SOURCE_PARTITION,
    DeadLetters,
)
from billing_common.messaging.keyed_concurrency import KeyedConcurrencyConsumer

pytestmark = pytest.mark.connected

QUICK = FailurePolicy(backoff=Backoff(0.005, 0.02))


class Member:
    """One replica of a keyed consumer."""

    def __init__(self, kafka_server, topic, producer, handle, name="a"):
        self.consumer = KeyedConcurrencyConsumer(
            topic=topic,
            group_id=f"{topic}.checkout",
            handle=handle,
            dead_letters=DeadLetters(producer),
            policy=QUICK,
            max_in_flight=16,
            max_records=50,
        )
        self.broker = make_broker(kafka_server.bootstrap_servers, client_id=name)
        self.consumer.attach(self.broker)

    async def start(self):
        await start_broker(self.broker, timeout_seconds=30)
        return self

    async def stop(self):
        await self.consumer.stop()
        assert await stop_broker(self.broker, timeout_seconds=15)


async def _send_numbers(producer, topic, count, keys):
    # Per key in order: each key's numbers grow.
    async def send_key(key):
        for n in range(key, count, keys):
            await producer.send(topic, key=b"k%d" % key, value=b"%d" % n, timeout_seconds=10)

    await asyncio.gather(*map(send_key, range(keys)))


def _assert_in_order(done, count):
    assert {n for numbers in done.values() for n in numbers} == set(range(count))
    for numbers in done.values():
        first_times = list(dict.fromkeys(numbers))
        assert first_times == sorted(first_times)


async def test_order_per_key_survives_failures_and_members_coming_and_going(
    kafka_server, producer, topic
):
    chance, done, running, overlaps = random.Random(3), defaultdict(list), {}, []
    running_max = 0

    def handler(name):
        async def handle(record):
            nonlocal running_max
            if record.key in running:
                overlaps.append((record.key, running[record.key], name))
            running[record.key] = name
            running_max = max(running_max, len(running))
            try:
                await asyncio.sleep(0.03 * chance.random())
                if chance.random() < 0.1:
                    raise TransientError("not now")
                done[record.key].append(int(record.value))
            finally:
                running.pop(record.key, None)

        return handle

    count = 900
    first = await Member(kafka_server, topic, producer, handler("a")).start()
    producing = asyncio.create_task(_send_numbers(producer, topic, count, 30))
    await until(lambda: sum(map(len, done.values())) > 100)
    second = await Member(kafka_server, topic, producer, handler("b"), "b").start()
    await until(lambda: sum(map(len, done.values())) > 300)
    await first.stop()
    third = await Member(kafka_server, topic, producer, handler("c"), "c").start()
    await producing
    await until(lambda: {n for numbers in done.values() for n in numbers} == set(range(count)))
    await asyncio.gather(second.stop(), third.stop())
    assert overlaps == []
    assert running_max > 4
    _assert_in_order(done, count)
    # What was finished behind an unfinished record is done again by the next owner, no more.
    assert sum(map(len, done.values())) < 1.3 * count


async def test_poison_is_kept_byte_for_byte_and_the_rest_goes_on(kafka_server, producer, topic):
    seen = []
    headers = [("trace", b"00-abc"), ("raw", b"\xff\xfe"), ("nothing", None)]

    async def handle(record):
        if record.value is None or not record.value.isdigit():
            raise PoisonError("not a number")
        seen.append((record.key, int(record.value)))

    member = await Member(kafka_server, topic, producer, handle).start()
    for n in range(5):
        await producer.send(topic, key=b"k", value=b"%d" % n, timeout_seconds=10)
    poison = await producer.send(
        topic, key=b"k", value=b"\x00\xff{", headers=headers, timeout_seconds=10
    )
    await producer.send(topic, key=b"k", value=b"5", headers=headers, timeout_seconds=10)
    await until(lambda: len(seen) == 6)
    await member.stop()
    assert [number for _, number in seen] == list(range(6))

    log = await read_log(kafka_server.bootstrap_servers, f"{topic}.dlt")
    [letter] = [record for records in log.values() for record in records]
    assert (letter.key, letter.value) == (b"k", b"\x00\xff{")
    assert list(letter.headers[: len(headers)]) == headers
    ours = dict(letter.headers[len(headers) :])
    assert ours[REASON] == b"poison"
    assert ours[ATTEMPTS] == b"1"
    assert int(ours[SOURCE_PARTITION]) == poison.partition == letter.partition
    assert int(ours[SOURCE_OFFSET]) == poison.offset


async def _started_worker(kafka_server, topic, ledger: Path):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.messaging.keyed_worker",
        kafka_server.bootstrap_servers,
        topic,
        str(ledger),
    )


def _ledger(path: Path):
    done = defaultdict(list)
    for line in path.read_text().splitlines() if path.exists() else ():
        key, number = line.split()
        done[key].append(int(number))
    return done


async def test_kill_9_loses_nothing_and_keeps_the_order(kafka_server, producer, topic, tmp_path):
    count, ledger = 400, tmp_path / "ledger"
    await _send_numbers(producer, topic, count, 20)
    worker = await _started_worker(kafka_server, topic, ledger)
    await until(lambda: sum(map(len, _ledger(ledger).values())) > 100)
    worker.send_signal(signal.SIGKILL)
    await worker.wait()
    assert sum(map(len, _ledger(ledger).values())) < count, "killed too late to prove anything"

    worker = await _started_worker(kafka_server, topic, ledger)
    try:
        await until(
            lambda: (
                {n for numbers in _ledger(ledger).values() for n in numbers} == set(range(count))
            ),
            timeout_seconds=40,
        )
    finally:
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
    _assert_in_order(_ledger(ledger), count)
