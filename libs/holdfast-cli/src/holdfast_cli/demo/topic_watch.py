"""Watches Kafka while the purchase is made: when each message of it was put on its topic.

A plain reader without a group: it takes no part, moves no offset and stops nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from billing_common.contracts.topics import PRIMARY_TOPICS, TopicNames

_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """One record; `at` is the time its producer gave it."""

    topic: str
    key: str
    value: bytes
    headers: dict[str, str]
    at: datetime


class TopicWatch:
    """Async context manager; from entering on, every record of all topics is collected."""

    def __init__(self, bootstrap_servers: str, names: TopicNames) -> None:
        self._names = names
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            group_id=None,  # it only watches; there is no offset to keep
            enable_auto_commit=False,
            auto_offset_reset="latest",
            fetch_max_wait_ms=50,
        )
        self._seen: list[SeenMessage] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await asyncio.wait_for(self._consumer.start(), _START_SECONDS)
        self._consumer.assign(
            [
                TopicPartition(self._names.of(topic), partition)
                for topic in PRIMARY_TOPICS
                for partition in range(topic.partitions)
            ]
        )
        await asyncio.wait_for(self._consumer.seek_to_end(), _START_SECONDS)
        self._task = asyncio.create_task(self._collect())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._consumer.stop()

    async def first(
        self,
        topic_name: str,
        matches: Callable[[SeenMessage], bool],
        *,
        timeout_seconds: float,
    ) -> SeenMessage | None:
        """The first collected record of the topic that matches; None when none comes in time."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            for message in self._seen:
                if message.topic == topic_name and matches(message):
                    return message
            if asyncio.get_running_loop().time() > deadline:
                return None
            await asyncio.sleep(0.02)

    async def _collect(self) -> None:
        async for record in self._consumer:
            self._seen.append(
                SeenMessage(
                    topic=record.topic,
                    key=(record.key or b"").decode(errors="replace"),
                    value=record.value or b"",
                    headers={name: value.decode() for name, value in record.headers},
                    at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
                )
            )
