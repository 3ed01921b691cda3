"""Trouble made on purpose: a worker that pauses, a COMMIT whose answer is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from billing_common.domain.provider_objects import ProviderSession
from billing_common.domain.provider_outcome import ProviderFailure
from billing_common.storage.database_errors import CommitOutcomeUnknown
from billing_common.storage.transaction import Database, WriteConnection
from billing_common.stripe_api.client import StripeProvider
from billing_common.stripe_api.port import Answer

T = TypeVar("T")


class PausingProvider(StripeProvider):
    """The real client; its holder falls asleep around the create call."""

    def __init__(self, *, pauses_before: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self._pauses_before = pauses_before
        self.is_paused = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def create_checkout_session(
        self, params_json: str, *, idempotency_key: str
    ) -> Answer[ProviderSession] | ProviderFailure:
        if self._pauses_before:
            await self._pause()
        answer = await super().create_checkout_session(params_json, idempotency_key=idempotency_key)
        if not self._pauses_before:
            await self._pause()
        return answer

    async def _pause(self) -> None:
        self.is_paused.set()
        await self.may_go_on.wait()


class LostCommit(Database):
    """Loses the answer to the first COMMIT of one transaction; `is_stored` says its fate."""

    def __init__(self, engine: Any, *, name: str, is_stored: bool) -> None:
        super().__init__(engine)
        self._lost_name: str | None = name
        self._is_stored = is_stored

    async def write(self, closure: Callable[[WriteConnection], Awaitable[T]], *, name: str) -> T:
        if name != self._lost_name:
            return await super().write(closure, name=name)
        self._lost_name = None

        async def undone(connection: WriteConnection) -> T:
            await closure(connection)
            raise CommitOutcomeUnknown("the connection broke before COMMIT arrived")

        if not self._is_stored:
            return await super().write(undone, name=name)
        await super().write(closure, name=name)
        raise CommitOutcomeUnknown("the connection broke after COMMIT arrived")
