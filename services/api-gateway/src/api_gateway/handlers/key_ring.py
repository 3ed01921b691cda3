"""The keys that tokens are verified with, kept current while we run.

A file is looked at again every few seconds, an address every few minutes; a token that names an
unknown key asks for a look at once, but not more often than every few seconds, so that nobody can
make us hammer the login service. What cannot be read changes nothing: the keys that are known stay
good for a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from api_gateway.decisions.access_tokens import KeyFileInvalid, VerificationKey
from billing_common.domain.errors import TransientError
from billing_common.process.background_tasks import end_task

log = structlog.get_logger()

Keys = Mapping[str | None, VerificationKey]
ASKED_AGAIN_SECONDS_MIN: Final = 10.0
STALE_SECONDS_MAX: Final = 24 * 3600.0


class KeysUnavailable(TransientError):  # noqa: N818 - exceptions are facts here
    """There are no keys to verify a token with; nobody can be told that theirs is wrong."""

    code = "token_keys_unavailable"


class KeysUnreadable(Exception):  # noqa: N818
    """The source did not answer, or not with keys."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Reads the whole set. `read` raises KeysUnreadable or KeyFileInvalid."""

    read: Callable[[], Awaitable[Keys]]
    every_seconds: float


class KeyRing:
    """One per process. `start` once, `stop` at the end."""

    def __init__(
        self, source: KeySource | None, *, known: Keys, monotonic: Callable[[], float]
    ) -> None:
        """`known`: the keys to begin with; without a source they are all there will be."""
        self._source = source
        self._keys = known
        self._monotonic = monotonic
        self._read_at_seconds = monotonic()
        self._asked_at_seconds = float("-inf")
        self._asking = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Watch the source. Keys that were not known yet are read first, if they can be."""
        if self._source is None:
            return
        if not self._keys:
            await self._ask()
        self._watching = asyncio.create_task(self._watch(), name="key ring")

    async def stop(self) -> None:
        """Watch no more."""
        if self._watching is not None:
            await end_task(self._watching)

    async def keys_for(self, kid: str | None) -> Keys:
        """All keys; if `kid` is unknown, after a look for newer ones. Raises KeysUnavailable."""
        if kid is not None and kid not in self._keys:
            await self._ask_if_allowed()
        age_seconds = self._monotonic() - self._read_at_seconds
        if not self._keys or (self._source is not None and age_seconds > STALE_SECONDS_MAX):
            await self._ask_if_allowed()
            if not self._keys or self._monotonic() - self._read_at_seconds > STALE_SECONDS_MAX:
                raise KeysUnavailable("no current keys are known")
        return self._keys

    async def _watch(self) -> None:
        assert self._source is not None  # noqa: S101 - started with a source only
        while True:
            await asyncio.sleep(self._source.every_seconds)
            await self._ask()

    async def _ask_if_allowed(self) -> None:
        if self._source is None:
            return
        async with self._asking:  # who waited here has the answer of the one before
            if self._monotonic() - self._asked_at_seconds >= ASKED_AGAIN_SECONDS_MIN:
                await self._ask()

    async def _ask(self) -> None:
        assert self._source is not None  # noqa: S101 - all callers have seen it
        self._asked_at_seconds = self._monotonic()
        try:
            keys = await self._source.read()
        except (KeysUnreadable, KeyFileInvalid) as error:
            log.warning("gateway.token_keys_unreadable", error=error, reason=str(error))
            return
        self._read_at_seconds = self._monotonic()
        if set(keys) != set(self._keys):
            log.info("gateway.token_keys_changed", count=len(keys))
        self._keys = keys
