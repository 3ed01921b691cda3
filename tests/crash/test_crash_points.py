"""A process dies at every await of the write path, and again while that is recovered."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import AsyncIterator

import pytest
from tests.crash.campaign import Campaign, all_moments
from tests.crash.points import load_pointed
from tests.crash.unreachable import INDIVISIBLE, UNREACHABLE
from tests.fixtures.databases import Database
from tests.integration.checkout.desk import make_desk

from stripe_double.testing import RunningDouble

pytestmark = pytest.mark.connected

# `make crash` sets 20: then every moment gets a second death with every seed.
SEEDS = int(os.environ.get("HOLDFAST_CRASH_SEEDS", "0"))
SECOND_DEATHS_IN_THE_SUITE = 30


@pytest.fixture
async def campaign(database: Database, stripe_double: RunningDouble) -> AsyncIterator[Campaign]:
    desk = await make_desk(database, stripe_double)
    yield Campaign(desk, load_pointed())
    await desk.close()


@pytest.mark.requirement("IDEM-10")
@pytest.mark.requirement("IDEM-11")
@pytest.mark.requirement("IDEM-15")
@pytest.mark.requirement("CHK-06")
@pytest.mark.timeout(max(300, SEEDS * 300))
async def test_a_death_at_any_await_is_survived(
    campaign: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.perf_counter()
    await campaign.survey()

    unreached = {m.rsplit(":", 1)[0] for m in all_moments() if m not in campaign.road}
    assert unreached == set(UNREACHABLE), "each await is passed by a road or says why it is not"
    moments = _first_deaths([moment for moment in campaign.road if moment not in INDIVISIBLE])
    failures: list[str] = []
    for moment in moments:
        try:
            await campaign.strike(moment)
        except Exception as error:
            failures.append(f"{moment} ({campaign.road[moment].name}): {error!r}")
    for moment, seed in _second_deaths([one for one in moments if one in campaign.recovery]):
        try:
            await campaign.strike_twice(moment, seed)
        except Exception as error:
            failures.append(f"{moment}, then seed {seed}: {error!r}")
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(campaign.road)} moments are passed, workers died at {len(moments)} of them, "
            f"{campaign.deaths} deaths, {SEEDS} full seeds, {time.perf_counter() - begun:.1f} s, "
            f"{len(failures)} failures\n"
        )
    assert failures == [], "\n".join(failures)


def _first_deaths(moments: list[str]) -> list[str]:
    """All of them; in the suite every await once, by turns before and after it."""
    if SEEDS:
        return moments
    awaits = dict.fromkeys(moment.rsplit(":", 1)[0] for moment in moments)
    wanted = [f"{one}:{('before', 'after')[n % 2]}" for n, one in enumerate(awaits)]
    # One of an await's two moments may not be passed, or not be divisible: then the other.
    by_await = {moment.rsplit(":", 1)[0]: moment for moment in moments}
    return [one if one in moments else by_await[one.rsplit(":", 1)[0]] for one in wanted]


def _second_deaths(moments: list[str]) -> list[tuple[str, int]]:
    if SEEDS:
        return [(moment, seed) for seed in range(SEEDS) for moment in moments]
    some = random.Random("the suite").sample(moments, min(len(moments), SECOND_DEATHS_IN_THE_SUITE))
    return [(moment, 0) for moment in some]
