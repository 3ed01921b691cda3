"""Keeps what cannot be handled: the original bytes in `<topic>.dlt`, and why, in headers."""

from __future__ import annotations

from typing import Final, Protocol

import structlog

from billing_common.contracts.topics import dead_letter_name
from billing_common.messaging.records import Headers, Record, RecordPosition
from billing_common.observability.metrics import DEAD_LETTERS

logger = structlog.get_logger(__name__)

REASON: Final = "dead-letter-reason"
ATTEMPTS: Final = "dead-letter-attempts"
SOURCE_TOPIC: Final = "dead-letter-source-topic"
SOURCE_PARTITION: Final = "dead-letter-source-partition"
SOURCE_OFFSET: Final = "dead-letter-source-offset"
SOURCE_TIMESTAMP: Final = "dead-letter-source-timestamp-ms"


class Sender(Protocol):
    """DurableProducer, as far as it is needed here."""

    async def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
        timeout_seconds: float,
    ) -> RecordPosition:
        """See DurableProducer.send."""


class DeadLetters:
    """Publishes to the dead-letter topic of the record's own topic."""

    def __init__(self, producer: Sender) -> None:
        self._producer = producer

    async def publish(
        self, record: Record, *, reason: str, attempts: int, timeout_seconds: float = 10.0
    ) -> RecordPosition:
        """Returns when it is durable; until then the source's offset must not be committed.

        `reason`: a stable code. The original headers come first, the trace among them. Raises
        BrokerUnavailable. Publishing twice is possible after a crash: topic, partition and offset
        of the source tell the copies apart from two letters.
        """
        position = await self._producer.send(
            dead_letter_name(record.topic),
            key=record.key,
            value=record.value,
            headers=dead_letter_headers(record, reason=reason, attempts=attempts),
            # As many partitions as the source: the same number keeps the order of the source.
            partition=record.partition,
            timeout_seconds=timeout_seconds,
        )
        DEAD_LETTERS.labels(topic=record.topic, reason=reason).inc()
        logger.error(
            "kafka.dead_lettered",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=reason,
            attempts=attempts,
        )
        return position


def dead_letter_headers(record: Record, *, reason: str, attempts: int) -> Headers:
    """The record's own headers, untouched, and ours after them."""
    return (
        *record.headers,
        (REASON, reason.encode()),
        (ATTEMPTS, str(attempts).encode()),
        (SOURCE_TOPIC, record.topic.encode()),
        (SOURCE_PARTITION, str(record.partition).encode()),
        (SOURCE_OFFSET, str(record.offset).encode()),
        (SOURCE_TIMESTAMP, str(record.timestamp_ms).encode()),
    )
