"""The one place that decides how we subscribe.

FastStream's defaults lose messages: auto-commit before the handler, and a silent skip of records
whose header is null or not UTF-8. `make_broker` and `safe_parser` close both.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from billing_common.messaging.errors import BrokerUnavailable

logger = structlog.get_logger(__name__)

# Half-open connections are given up after this; aiokafka's 40 s would outlive our own limits.
REQUEST_TIMEOUT_MS: Final = 10_000
# How long a stop waits for the handler under way. None or 0 would not wait at all.
GRACEFUL_TIMEOUT_SECONDS: Final = 20.0
# The first group assignment is awaited without a limit by the client library; a join that is
# never answered would hang the process for ever.
START_TIMEOUT_SECONDS: Final = 60.0
STOP_TIMEOUT_SECONDS: Final = 30.0
_START_RETRY_SECONDS: Final = 1.0


def make_broker(bootstrap_servers: str, *, client_id: str, **more: Any) -> KafkaBroker:
    """A broker for subscribers only (sends go through DurableProducer).

    Offsets are ours to commit (MANUAL), topics are never created on the fly, nothing is decoded
    before our own code, and stopping waits for the work under way. `more`: security and the like.
    """
    log = logging.getLogger("billing_common.messaging.faststream")
    log.setLevel(logging.ERROR)  # below that it repeats what it was told: that topics are declared
    return KafkaBroker(
        bootstrap_servers.split(","),
        client_id=client_id,
        consumer_only=True,
        ack_policy=AckPolicy.MANUAL,
        parser=safe_parser,
        allow_auto_create_topics=False,
        acks="all",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        apply_types=False,  # handlers take raw records; injection cost more than a small batch
        graceful_timeout=GRACEFUL_TIMEOUT_SECONDS,
        logger=log,
        log_level=logging.DEBUG,
        **more,
    )


async def safe_parser(raw: Any, original: Callable[[Any], Awaitable[Any]]) -> Any:
    """Let FastStream see only headers it can read; our code gets the record as it was."""
    shown = tuple(map(_readable, raw)) if isinstance(raw, tuple) else _readable(raw)
    message = await original(shown)
    message.raw_message = raw
    return message


def _readable(record: Any) -> Any:
    readable = tuple(pair for pair in record.headers if _is_text(pair[1]))
    if len(readable) == len(record.headers):
        return record
    return dataclasses.replace(record, headers=readable)


def _is_text(value: bytes | None) -> bool:
    try:
        return value is not None and value.decode() is not None
    except UnicodeDecodeError:
        return False


async def start_broker(
    broker: KafkaBroker, *, timeout_seconds: float = START_TIMEOUT_SECONDS
) -> None:
    """Start within the time, knocking again while Kafka is not there. Raises BrokerUnavailable."""
    try:
        async with asyncio.timeout(timeout_seconds):
            for _ in itertools.count():
                if await _try_start(broker):
                    return
                await asyncio.sleep(_START_RETRY_SECONDS)
    except TimeoutError:
        raise BrokerUnavailable(
            f"consumers did not start within {timeout_seconds:g} s: Kafka is away or the group "
            "does not settle; see KAFKA_BOOTSTRAP_SERVERS"
        ) from None


async def _try_start(broker: KafkaBroker) -> bool:
    try:
        await broker.start()
    except (KafkaError, OSError) as error:
        logger.warning("kafka.consumers_cannot_start_yet", error=error)
        await broker.stop()  # closes what was half open
        return False
    return True


async def stop_broker(
    broker: KafkaBroker, *, timeout_seconds: float = STOP_TIMEOUT_SECONDS
) -> bool:
    """Stop within the time. False: it hangs, and the process should exit without waiting."""
    try:
        await asyncio.wait_for(broker.stop(), timeout_seconds)
    except TimeoutError:
        logger.error("kafka.consumers_do_not_stop", seconds=timeout_seconds)
        return False
    return True
