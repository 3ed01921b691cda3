"""Sends that are durable when they return, and an error in bounded time when they are not.

An error means *unknown*: the record may still arrive. Send it again; readers drop duplicates.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from billing_common.domain.errors import BillingError
from billing_common.messaging.errors import BrokerUnavailable, RecordRejected
from billing_common.messaging.producer_connection import close_producer, is_broken, open_producer
from billing_common.messaging.records import OFFSET_UNKNOWN, OutgoingRecord, RecordPosition
from billing_common.observability.transaction_guard import assert_no_open_transaction

logger = structlog.get_logger(__name__)

# A caller is waiting: rather 503 now than a slow success.
CONNECT_TIMEOUT_SECONDS: Final = 5.0
# After a refused connection, callers are told at once for this long instead of knocking again.
RECONNECT_PAUSE_SECONDS: Final = 0.25
# No acknowledgement for this long while callers give up: what is still buffered has been answered
# with an error, and a fresh producer recovers where a confused one might not.
STALLED_AFTER_SECONDS: Final = 30.0
# A producer found broken is replaced and the record sent once more before the caller hears of it.
_ATTEMPTS: Final = 2


@dataclass(frozen=True, slots=True)
class SendReport:
    """What became of each record, by its index: a position, or an error, or (stopped) neither."""

    positions: tuple[RecordPosition | None, ...]
    errors: dict[int, BillingError] = field(default_factory=dict)

    @property
    def acked(self) -> tuple[int, ...]:
        """Indexes of the records that are durable."""
        return tuple(i for i, position in enumerate(self.positions) if position is not None)

    @property
    def is_complete(self) -> bool:
        """True when every record is durable."""
        return all(position is not None for position in self.positions)


class DurableProducer:
    """One per process. acks=all, idempotent; connects when needed, is replaced when broken."""

    def __init__(self, bootstrap_servers: str, *, client_id: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[AIOKafkaProducer] | None = None
        self._refused_at: float | None = None
        self._unacked_since: float | None = None
        self._is_stopped = False

    async def start(self, *, timeout_seconds: float = CONNECT_TIMEOUT_SECONDS) -> bool:
        """Try to connect within the time. False is no failure: the first send tries again."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._connected()
        except (BrokerUnavailable, TimeoutError):
            logger.warning("kafka.producer_starts_unconnected", name=self._client_id)
            return False
        return True

    async def stop(self, *, flush_seconds: float = 10.0) -> bool:
        """Flush within the bound and close. False when records were left unacknowledged."""
        self._is_stopped = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting})
        producer, self._producer = self._producer, None
        if producer is None:
            return True
        is_flushed = await close_producer(producer, flush_seconds=flush_seconds)
        if not is_flushed:
            logger.error("kafka.producer_stopped_with_unsent_records", name=self._client_id)
        return is_flushed

    async def is_connected(self, *, timeout_seconds: float = 1.5) -> bool:
        """For readiness: asks the cluster, and connects if that is still to be done."""
        try:
            async with asyncio.timeout(timeout_seconds):
                producer = await self._connected()
                await producer.client.fetch_all_metadata()
        except (BrokerUnavailable, KafkaError, OSError, TimeoutError):
            return False
        return True

    async def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        partition: int | None = None,
        timeout_seconds: float,
    ) -> RecordPosition:
        """Returns once all in-sync replicas have the record.

        Raises BrokerUnavailable (outcome unknown) within the time, RecordRejected (never sent),
        NetworkCallInsideTransaction (a bug).
        """
        assert_no_open_transaction("kafka send")
        record = OutgoingRecord(topic, key, value, headers, partition)
        return await self._send_until(record, asyncio.get_running_loop().time() + timeout_seconds)

    async def send_ordered(
        self, records: Sequence[OutgoingRecord], *, timeout_seconds: float
    ) -> SendReport:
        """Send in order per key: the next record of a key goes out after the last one is durable.

        Keys go in parallel. A key stops at its first failure, so its later records have neither a
        position nor an error in the report and are to be sent again after the failed one.
        """
        assert_no_open_transaction("kafka send")
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        lanes: dict[Hashable, list[int]] = {}
        for index, record in enumerate(records):
            lanes.setdefault((record.topic, record.key or record.partition), []).append(index)
        positions: list[RecordPosition | None] = [None] * len(records)
        errors: dict[int, BillingError] = {}

        async def send_lane(indexes: list[int]) -> None:
            for index in indexes:
                try:
                    positions[index] = await self._send_until(records[index], deadline)
                except (BrokerUnavailable, RecordRejected) as error:
                    errors[index] = error
                    return

        async with asyncio.TaskGroup() as group:
            for indexes in lanes.values():
                group.create_task(send_lane(indexes))
        return SendReport(tuple(positions), errors)

    async def _send_until(self, record: OutgoingRecord, deadline: float) -> RecordPosition:
        try:
            async with asyncio.timeout_at(deadline):
                for _ in range(_ATTEMPTS):
                    producer = await self._connected()
                    position = await self._send_through(producer, record)
                    if position is not None:
                        self._unacked_since = None
                        return position
        except TimeoutError:
            self._note_no_ack()
            raise BrokerUnavailable(f"{record.topic}: no acknowledgement in time") from None
        raise BrokerUnavailable(f"{record.topic}: the producer had to be replaced")

    async def _send_through(
        self, producer: AIOKafkaProducer, record: OutgoingRecord
    ) -> RecordPosition | None:
        """None when this producer is of no use any more (and a new one is on its way)."""
        try:
            known = await producer.partitions_for(record.topic)
            if record.partition is not None and record.partition not in known:
                raise RecordRejected(f"{record.topic} has no partition {record.partition}")
            acknowledged = await producer.send(
                record.topic,
                key=record.key,
                value=record.value,
                partition=record.partition,
                headers=list(record.headers),
            )
        except MessageSizeTooLargeError:
            raise RecordRejected(f"{record.topic}: the record is too large to send") from None
        except KafkaError as error:
            self._replace(producer, error)
            return None
        try:
            # A batch that failed for good leaves a hole in this producer's sequence numbers, and
            # every later batch would be refused: any error here ends this producer.
            metadata = await acknowledged
        except KafkaError as error:
            self._replace(producer, error)
            return None
        offset = OFFSET_UNKNOWN if metadata.offset is None else metadata.offset
        return RecordPosition(metadata.topic, metadata.partition, offset)

    def _note_no_ack(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._unacked_since is None:
            self._unacked_since = now
        elif now - self._unacked_since > STALLED_AFTER_SECONDS and self._producer is not None:
            self._replace(self._producer, BrokerUnavailable("stalled"))

    def _replace(self, producer: AIOKafkaProducer, error: Exception) -> None:
        if self._producer is producer and self._connecting is None and not self._is_stopped:
            logger.warning("kafka.producer_replaced", name=self._client_id, error=error)
            self._unacked_since = None
            self._connect()

    async def _connected(self) -> AIOKafkaProducer:
        if self._is_stopped:
            raise BrokerUnavailable("the producer is stopped")
        if self._connecting is not None:
            return await asyncio.shield(self._connecting)
        if self._producer is not None and not is_broken(self._producer):
            return self._producer
        now = asyncio.get_running_loop().time()
        if self._refused_at is not None and now - self._refused_at < RECONNECT_PAUSE_SECONDS:
            raise BrokerUnavailable("Kafka refused the connection a moment ago")
        return await asyncio.shield(self._connect())

    def _connect(self) -> asyncio.Task[AIOKafkaProducer]:
        """Single flight: whoever needs a connection while one is being made waits for that one."""
        self._connecting = asyncio.create_task(self._open(), name="kafka-producer-connect")
        self._connecting.add_done_callback(self._connect_ended)
        return self._connecting

    def _connect_ended(self, task: asyncio.Task[AIOKafkaProducer]) -> None:
        self._connecting = None
        if not task.cancelled():
            task.exception()  # retrieved even when every waiting sender has given up

    async def _open(self) -> AIOKafkaProducer:
        old, self._producer = self._producer, None
        if old is not None:
            # Wholly closed before the new one opens: two would mix up the order.
            await close_producer(old, flush_seconds=0)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                self._producer = await open_producer(
                    self._bootstrap_servers, client_id=self._client_id
                )
        except (KafkaError, OSError, TimeoutError) as error:
            self._refused_at = asyncio.get_running_loop().time()
            raise BrokerUnavailable("Kafka cannot be reached") from error
        self._refused_at = None
        return self._producer
