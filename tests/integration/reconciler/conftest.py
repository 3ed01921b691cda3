"""Reconciler's scopes on a real database and a real broker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.fixtures.backend import KafkaBroker

from billing_common.messaging.producer import DurableProducer


@pytest.fixture
async def producer(kafka_server: KafkaBroker) -> AsyncIterator[DurableProducer]:
    producer = DurableProducer(kafka_server.bootstrap_servers, client_id="test")
    await producer.start()
    yield producer
    await producer.stop()
