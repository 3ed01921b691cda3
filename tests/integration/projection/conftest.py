"""Fixtures of projection's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.fixtures.databases import Database
from tests.integration.projection.projectors import projector_on

from projection.handlers.batch import BatchProjector
from stripe_double.testing import RunningDouble


@pytest.fixture
async def projector(
    database: Database, stripe_double: RunningDouble
) -> AsyncIterator[BatchProjector]:
    async with projector_on(database, stripe_double) as projector:
        yield projector
