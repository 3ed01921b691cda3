"""A projector on a real database, asking a real double for the truth."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.fixtures.databases import Database as OwnDatabase
from tests.integration.projection.purchases import provider_for

from billing_common.messaging.dead_letters import DeadLetters
from billing_common.messaging.records import Headers, RecordPosition
from billing_common.storage.transaction import Database
from projection.handlers.batch import GROUP, BatchProjector
from projection.handlers.truth import TruthSource
from projection.handlers.unreadable import UnreadableRecords
from stripe_double.testing import RunningDouble


class LetterBox:
    """Where dead letters end in these tests; the topic itself is tests/integration/messaging's."""

    def __init__(self) -> None:
        self.letters: list[tuple[bytes | None, Headers]] = []

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
        del key, timeout_seconds
        self.letters.append((value, headers))
        return RecordPosition(topic, partition or 0, len(self.letters) - 1)


class NoLetters(LetterBox):
    """For tests in which nothing may be given up: doing so is an error that nothing swallows."""

    async def send(self, topic: str, **record: Any) -> RecordPosition:
        pytest.fail(f"a record was given up to {topic}: {record['headers']}")


@asynccontextmanager
async def projector_on(
    database: OwnDatabase,
    double: RunningDouble,
    *,
    letters: LetterBox | None = None,
    truth: TruthSource | None = None,
) -> AsyncIterator[BatchProjector]:
    provider = provider_for(double)
    try:
        yield BatchProjector(
            database=Database(database.engine),
            truth=truth or TruthSource(provider),
            unreadable=UnreadableRecords(DeadLetters(letters or NoLetters())),
            group=GROUP,
            feed_shards=8,
            on_committed=lambda: None,
        )
    finally:
        await provider.close()
