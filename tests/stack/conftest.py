"""Who meets the stack in these tests: buyers, and Stripe's books."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from tests.fixtures.stack_processes import WholeStack
from tests.stack.ledger import Ledger
from tests.stack.ledger import ledger as open_ledger
from tests.stack.market import Market
from tests.stack.market import market as open_market


@pytest.fixture
async def market(stack: WholeStack) -> AsyncIterator[Market]:
    async with open_market(stack) as opened:
        yield opened


@pytest.fixture
async def ledger(stack: WholeStack) -> AsyncIterator[Ledger]:
    async with open_ledger(stack) as opened:
        yield opened


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Writes a line of counts into the run's output, also when the test succeeds."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def line(text: str) -> None:
        with capture.global_and_fixture_disabled():
            pytestconfig.get_terminal_writer().line(f"  {text}")

    return line
