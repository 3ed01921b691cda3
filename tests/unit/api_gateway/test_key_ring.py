from __future__ import annotations

import asyncio

import pytest

from api_gateway.decisions.access_tokens import KeyFileInvalid, VerificationKey
from api_gateway.handlers.key_ring import (
    ASKED_AGAIN_SECONDS_MIN,
    STALE_SECONDS_MAX,
    KeyRing,
    Keys,
    KeySource,
    KeysUnavailable,
    KeysUnreadable,
)

pytestmark = pytest.mark.requirement("AUTH-01")


class Login:
    """A login service whose keys, and whose mood, a test changes."""

    def __init__(self, *kids: str) -> None:
        self.kids = kids
        self.asked = 0
        self.trouble: Exception | None = None

    async def read(self) -> Keys:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return keys(*self.kids)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def keys(*kids: str) -> Keys:
    return {kid: VerificationKey("RS256", kid) for kid in kids}


def ring(login: Login | None, clock: Clock, *known: str) -> KeyRing:
    source = None if login is None else KeySource(login.read, every_seconds=3600)
    return KeyRing(source, known=keys(*known), monotonic=clock)


async def test_known_keys_are_answered_without_asking() -> None:
    login = Login("a", "b")
    found = await ring(login, Clock(), "a").keys_for("a")
    assert (set(found), login.asked) == ({"a"}, 0)


async def test_an_unknown_key_is_looked_for_but_not_more_often_than_we_may() -> None:
    login, clock = Login("a"), Clock()
    keys_known = ring(login, clock, "a")
    for number in range(500):  # somebody invents key names
        assert set(await keys_known.keys_for(f"made-up-{number}")) == {"a"}
    assert login.asked == 1
    login.kids = ("a", "b")
    clock.seconds += ASKED_AGAIN_SECONDS_MIN
    found = await asyncio.gather(*(keys_known.keys_for("b") for _ in range(50)))
    assert all(set(one) == {"a", "b"} for one in found)
    assert login.asked == 2


async def test_a_key_that_was_taken_out_is_good_no_more() -> None:
    login, clock = Login("b"), Clock()
    keys_known = ring(login, clock, "a")
    assert set(await keys_known.keys_for("b")) == {"b"}
    assert "a" not in await keys_known.keys_for("a")


@pytest.mark.parametrize("trouble", [KeysUnreadable("away"), KeyFileInvalid("half written")])
async def test_what_cannot_be_read_changes_nothing_for_a_day(trouble: Exception) -> None:
    login, clock = Login("b"), Clock()
    keys_known = ring(login, clock, "a")
    login.trouble = trouble
    assert set(await keys_known.keys_for("b")) == {"a"}
    clock.seconds += STALE_SECONDS_MAX + 1
    with pytest.raises(KeysUnavailable):
        await keys_known.keys_for("a")
    login.trouble = None
    clock.seconds += ASKED_AGAIN_SECONDS_MIN
    assert set(await keys_known.keys_for("b")) == {"b"}


async def test_without_any_key_nobody_is_told_that_theirs_is_wrong() -> None:
    login, clock = Login("a"), Clock()
    login.trouble = KeysUnreadable("not up yet")
    keys_known = ring(login, clock)
    await keys_known.start()
    with pytest.raises(KeysUnavailable):
        await keys_known.keys_for("a")
    login.trouble = None
    clock.seconds += ASKED_AGAIN_SECONDS_MIN
    assert set(await keys_known.keys_for("a")) == {"a"}
    await keys_known.stop()


async def test_the_source_is_watched() -> None:
    login = Login("a")
    watched = KeyRing(
        KeySource(login.read, every_seconds=0.001), known=keys("old"), monotonic=Clock()
    )
    await watched.start()
    async with asyncio.timeout(5):
        while "a" not in await watched.keys_for(None):  # noqa: ASYNC110 - a poll with a deadline
            await asyncio.sleep(0.001)
    await watched.stop()


async def test_a_shared_secret_is_all_there_is() -> None:
    fixed = KeyRing(None, known={None: VerificationKey("HS256", b"x")}, monotonic=Clock())
    await fixed.start()
    assert set(await fixed.keys_for("anything")) == {None}
    await fixed.stop()
