"""A checkout desk: the real handlers on a real database, and the Stripe double behind the SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.fixtures.databases import Database as TestDatabase
from tests.integration.checkout.desk import Desk, make_desk

from stripe_double.testing import RunningDouble


@pytest.fixture
async def desk(database: TestDatabase, stripe_double: RunningDouble) -> AsyncIterator[Desk]:
    """One entity, one plan on sale, one worker."""
    made = await make_desk(database, stripe_double)
    yield made
    await made.close()


@pytest.fixture
async def each_desk(
    each_database: TestDatabase, stripe_double: RunningDouble
) -> AsyncIterator[Desk]:
    """As desk, on the run's server and (marked ``mysql``) on real MySQL."""
    made = await make_desk(each_database, stripe_double)
    yield made
    await made.close()
