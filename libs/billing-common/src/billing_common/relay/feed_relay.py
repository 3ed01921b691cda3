"""Publishes the feeds: outbox rows to Kafka, at least once, in order per entity.

Woken right after a commit; polls as well, because the process that committed may be gone. Each
shard has one publisher by lease, and all shards may have the same one. A publisher sends only
while its lease has time left for it; one that was paused in the middle of sending may still send
an old message late: messages carry the entity's version, and readers keep the highest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from billing_common.contracts.topics import PRIMARY_TOPICS, TopicNames
from billing_common.domain.errors import TransientError
from billing_common.messaging.producer import DurableProducer
from billing_common.messaging.records import OutgoingRecord
from billing_common.observability.metrics import FEED_BACKLOG, FEED_PUBLISHED, FENCED_WRITES
from billing_common.storage.feed_outbox import (
    OutboxMessage,
    ShardLease,
    claim_shard,
    count_waiting,
    read_waiting,
    release_shard,
    remove_published,
)
from billing_common.storage.transaction import Database

log = structlog.get_logger()

# Published side by side, so that one stuck entity holds up an eighth of the others at most.
# Fixed, because an entity must keep its shard.
SHARDS: Final = 8
LEASE: Final = timedelta(seconds=15)
RENEW_AFTER_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.25
BATCH_MESSAGES_MAX: Final = 500
# Sending must end well before the lease does: it begins no later than this after the claim.
SEND_TIMEOUT_SECONDS: Final = 5.0
SEND_AFTER_CLAIM_SECONDS_MAX: Final = 8.0
# Many turns of the slowest kind.
STILL_SECONDS_MAX: Final = 120.0
_TOPICS: Final = {topic.name: topic for topic in PRIMARY_TOPICS}


class FeedRelay:
    """One per projection process. `owner` names the process in the leases."""

    def __init__(
        self, *, database: Database, producer: DurableProducer, names: TopicNames, owner: str
    ) -> None:
        self._database = database
        self._producer = producer
        self._names = names
        self._owner = owner
        self._wake = asyncio.Event()
        self._held: dict[int, ShardLease] = {}
        self._claimed_at = float("-inf")
        self._turned_at: float | None = None

    def wake(self) -> None:
        """Something was committed."""
        self._wake.set()

    async def is_live(self) -> bool:
        """It still turns: for /livez."""
        now = asyncio.get_running_loop().time()
        return self._turned_at is None or now - self._turned_at < STILL_SECONDS_MAX

    async def run(self) -> None:
        """Until cancelled; then gives the leases back. No error ends it: nobody else publishes."""
        try:
            while True:
                published = 0
                try:
                    published = await self.run_once()
                except TransientError as error:
                    log.warning("feed_relay.waits", code=error.code)
                except Exception as error:  # noqa: BLE001 - told, and tried again
                    log.error("feed_relay.failed", error=error)
                self._turned_at = asyncio.get_running_loop().time()
                if published == 0:
                    await self._pause()
        finally:
            await asyncio.shield(self._release())

    async def run_once(self) -> int:
        """Publish what waits in the shards we hold; how many messages were acknowledged."""
        await self._claim()
        published = await asyncio.gather(
            *(self._publish_alone(held) for held in tuple(self._held.values()))
        )
        return sum(published)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    async def _claim(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._claimed_at < RENEW_AFTER_SECONDS:
            return
        self._held.clear()
        for shard in range(SHARDS):
            held = await self._database.write(
                lambda connection, shard=shard: claim_shard(  # type: ignore[misc]
                    connection, shard, owner=self._owner, lease=LEASE
                ),
                name="claim_feed_shard",
            )
            if held is not None:
                self._held[shard] = held
        self._claimed_at = now
        async with self._database.read(name="count_feed") as connection:
            FEED_BACKLOG.set(await count_waiting(connection))

    async def _publish_alone(self, held: ShardLease) -> int:
        """A shard that fails does not hold up the others."""
        try:
            return await self._publish(held)
        except TransientError as error:
            log.warning("feed_relay.shard_waits", shard=held.shard, code=error.code)
        except Exception as error:  # noqa: BLE001 - told, and tried again
            log.error("feed_relay.shard_failed", shard=held.shard, error=error)
        return 0

    async def _publish(self, held: ShardLease) -> int:
        async with self._database.read(name="read_feed") as connection:
            waiting = await read_waiting(connection, held.shard, limit=BATCH_MESSAGES_MAX)
        if not waiting or not self._has_time_to_send():
            return 0
        report = await self._producer.send_ordered(
            [self._record(message) for message in waiting], timeout_seconds=SEND_TIMEOUT_SECONDS
        )
        for index, error in report.errors.items():
            log.warning("feed_relay.not_sent", topic=waiting[index].topic, code=error.code)
        acked = [waiting[index] for index in report.acked]
        if acked:
            await self._remove(held, acked)
        return len(acked)

    def _has_time_to_send(self) -> bool:
        age = asyncio.get_running_loop().time() - self._claimed_at
        return age < SEND_AFTER_CLAIM_SECONDS_MAX

    async def _remove(self, held: ShardLease, acked: Sequence[OutboxMessage]) -> None:
        is_ours = await self._database.write(
            lambda connection: remove_published(
                connection,
                held,
                owner=self._owner,
                message_ids=[message.id for message in acked],
            ),
            name="remove_published_feed",
        )
        if not is_ours:
            FENCED_WRITES.labels(name="remove_published_feed").inc()
            self._held.pop(held.shard, None)
            return
        for message in acked:
            FEED_PUBLISHED.labels(topic=message.topic).inc()

    def _record(self, message: OutboxMessage) -> OutgoingRecord:
        return OutgoingRecord(
            topic=self._names.of(_TOPICS[message.topic]),
            key=message.key.encode(),
            value=message.payload,
        )

    async def _release(self) -> None:
        for held in tuple(self._held.values()):
            try:
                await self._database.write(
                    lambda connection, held=held: release_shard(  # type: ignore[misc]
                        connection, held, owner=self._owner
                    ),
                    name="release_feed_shard",
                )
            except TransientError:
                return  # the lease ends by itself
