from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiokafka.errors import KafkaConnectionError

from billing_common.messaging.consumer_health import ConsumerHealth


@dataclass
class Consumer:
    name: str = "service.purpose"
    fatal_reason: str | None = None
    has_live_task: bool = True
    progress_at: float | None = None
    waiting: int = 0
    errors: list[Exception] = field(default_factory=list)

    async def backlog(self):
        if self.errors:
            raise self.errors.pop()
        return self.waiting


def watched(consumer, stalled_after_seconds=0.0):
    reasons = []
    health = ConsumerHealth(
        [consumer],
        on_dead=reasons.append,
        stalled_after_seconds=stalled_after_seconds,
        check_interval_seconds=0.001,
    )
    return health, reasons


async def test_idle_is_alive():
    health, reasons = watched(Consumer())
    for _ in range(3):
        await health.check()
    assert await health.is_live()
    assert reasons == []


async def test_an_ended_task_is_death_and_is_told_once():
    consumer = Consumer(has_live_task=False)
    health, reasons = watched(consumer)
    await asyncio.wait_for(health.watch(), 5)
    await health.check()
    assert reasons == ["service.purpose: consume_task_ended"]
    assert not await health.is_live()


async def test_waiting_records_without_progress_are_death():
    consumer = Consumer(waiting=3)
    health, reasons = watched(consumer)
    await health.check()
    await asyncio.sleep(0.01)
    await health.check()
    assert reasons == ["service.purpose: no_progress"]


async def test_progress_keeps_a_busy_consumer_alive():
    consumer = Consumer(waiting=3)
    health, reasons = watched(consumer, stalled_after_seconds=30.0)
    await health.check()
    consumer.progress_at = asyncio.get_running_loop().time()
    await health.check()
    assert reasons == []


async def test_a_broker_that_is_away_is_not_our_death():
    consumer = Consumer(waiting=3, errors=[KafkaConnectionError()])
    health, reasons = watched(consumer)
    consumer.waiting = 3
    await health.check()
    await health.check()  # counts from here
    assert reasons == []
    assert await health.is_live()


async def test_a_consumer_that_stopped_for_good_is_dead():
    health, reasons = watched(Consumer(fatal_reason="dead_letter_limit_exceeded"))
    assert not await health.is_live()
    await health.check()
    assert reasons == ["service.purpose: dead_letter_limit_exceeded"]
