"""A projector on a real database, asking a real double for the truth."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.fixtures.databases import Database as OwnDatabase
from tests.integration.projection.purchases import provider_for

from billing_common.messaging.dead_letters import DeadLetters
from billing_common.messaging.producer import DurableProducer
from billing_common.storage.transaction import Database
from projection.handlers.batch import GROUP, BatchProjector
from projection.handlers.truth import TruthSource
from projection.handlers.unreadable import UnreadableRecords
from stripe_double.testing import RunningDouble


@asynccontextmanager
async def projector_on(
    database: OwnDatabase, double: RunningDouble
) -> AsyncIterator[BatchProjector]:
    provider = provider_for(double)
    # Never connects: these tests give it only readable records.
    producer = DurableProducer("127.0.0.1:1", client_id="test")
    try:
        yield BatchProjector(
            database=Database(database.engine),
            truth=TruthSource(provider),
            unreadable=UnreadableRecords(DeadLetters(producer)),
            group=GROUP,
            feed_shards=8,
            on_committed=lambda: None,
        )
    finally:
        await provider.close()
