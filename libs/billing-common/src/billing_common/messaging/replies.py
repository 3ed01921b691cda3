"""Where a gateway replica hears the answers to its commands: one partition, read from the end.

Raw aiokafka, not FastStream: there is no group, no offset to keep and nothing to retry. A reply is
handed to whoever waits, or dropped; the database knows the outcome anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from billing_common.messaging.backoff import Backoff
from billing_common.messaging.broker import REQUEST_TIMEOUT_MS
from billing_common.messaging.records import Record

logger = structlog.get_logger(__name__)

RECONNECT_BACKOFF: Final = Backoff(first_seconds=0.1, cap_seconds=2.0)
_POLL_MS: Final = 1_000
_CLOSE_SECONDS: Final = 5.0

Correlate = Callable[[Record], str | None]


def by_record_key(record: Record) -> str | None:
    """The default correlation: replies carry the operation key as their record key."""
    return record.key.decode("utf-8", "replace") if record.key is not None else None


class ExpectedReply:
    """A place kept for one reply."""

    def __init__(self) -> None:
        self._future: asyncio.Future[Record] = asyncio.get_running_loop().create_future()

    async def received(self, *, timeout_seconds: float) -> Record | None:
        """The reply, or None when it did not come in time. May be asked again."""
        done, _ = await asyncio.wait({self._future}, timeout=timeout_seconds)
        return self._future.result() if done else None

    def arrive(self, record: Record) -> None:
        """The first reply counts; a repetition says the same."""
        if not self._future.done():
            self._future.set_result(record)


class ReplyInbox:
    """`partition`: this replica's own, as named in its commands' reply-partition header.

    `correlate` reads the correlation id from a reply; None, or an exception, drops the reply.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        topic: str,
        partition: int,
        client_id: str,
        correlate: Correlate = by_record_key,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._place = TopicPartition(topic, partition)
        self._client_id = client_id
        self._correlate = correlate
        self._waiting: dict[str, list[ExpectedReply]] = {}
        self._listening = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._next_offset: int | None = None

    @property
    def is_listening(self) -> bool:
        """False: a command sent now could be answered unheard. Answer 503 instead."""
        return self._listening.is_set()

    @property
    def has_live_task(self) -> bool:
        """False when nobody reads any more though nobody stopped it."""
        return self._task is not None and not self._task.done()

    async def start(self, *, timeout_seconds: float = 10.0) -> bool:
        """Listen. False when Kafka is not there yet: it goes on trying."""
        self._task = asyncio.create_task(self._run(), name="kafka-replies")
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._listening.wait()
        except TimeoutError:
            logger.warning("kafka.replies_not_heard_yet", topic=self._place.topic)
            return False
        return True

    async def stop(self) -> None:
        """Stop listening. Waiters get nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)
            self._task = None
        self._listening.clear()

    @contextlib.contextmanager
    def expect(self, correlation_id: str) -> Iterator[ExpectedReply]:
        """Enter before the command is sent. Several may expect the same reply."""
        expected = ExpectedReply()
        self._waiting.setdefault(correlation_id, []).append(expected)
        try:
            yield expected
        finally:
            others = self._waiting[correlation_id]
            others.remove(expected)
            if not others:
                del self._waiting[correlation_id]

    # -- reading ------------------------------------------------------------------------------

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                async with self._consumer() as consumer:
                    failures = 0
                    self._listening.set()
                    await self._read(consumer)
            except (KafkaError, OSError, TimeoutError) as error:
                failures += 1
                logger.warning("kafka.replies_interrupted", error=error, attempt=failures)
            finally:
                self._listening.clear()
            await asyncio.sleep(RECONNECT_BACKOFF.seconds(failures))

    @contextlib.asynccontextmanager
    async def _consumer(self) -> Any:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers.split(","),
            client_id=self._client_id,
            group_id=None,  # every replica reads its own partition; a group would share them out
            enable_auto_commit=False,  # ack policy: none, a reply is never read twice
            auto_offset_reset="latest",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_MS / 1_000):
                # Assigned before the start, or the fetcher would know no topic's metadata.
                consumer.assign([self._place])
                await consumer.start()
                await self._take_position(consumer)
            yield consumer
        finally:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(consumer.stop(), _CLOSE_SECONDS)

    async def _take_position(self, consumer: Any) -> None:
        """The end of the log at first, later where we were: an interruption loses no reply."""
        if self._next_offset is None:
            ends = await consumer.end_offsets([self._place])
            self._next_offset = ends[self._place]
        consumer.seek(self._place, self._next_offset)

    async def _read(self, consumer: Any) -> None:
        while True:
            found = await consumer.getmany(timeout_ms=_POLL_MS)
            for raw in found.get(self._place, ()):
                self._next_offset = raw.offset + 1
                self._hand_over(
                    Record(
                        raw.topic,
                        raw.partition,
                        raw.offset,
                        raw.key,
                        raw.value,
                        tuple(raw.headers),
                        raw.timestamp,
                    )
                )

    def _hand_over(self, record: Record) -> None:
        try:
            correlation_id = self._correlate(record)
        except Exception as error:  # noqa: BLE001 - a damaged reply is nobody's reply
            logger.warning("kafka.reply_unreadable", offset=record.offset, error=error)
            return
        if correlation_id is not None:
            for expected in self._waiting.get(correlation_id, ()):
                expected.arrive(record)
