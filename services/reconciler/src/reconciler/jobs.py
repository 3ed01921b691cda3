"""The entrypoint: look, and run what is due, at a steady pace. `run_once` is one look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from billing_common.domain.errors import TransientError
from reconciler.decisions.scopes import Scope
from reconciler.handlers.expired_leases import ExpiredLeases
from reconciler.handlers.failed_events import FailedEvents
from reconciler.handlers.leased_runs import LeasedRuns

log = structlog.get_logger()


class ReconcilerLoop:
    """All scopes, one after the other. A scope without work makes no run and writes nothing."""

    def __init__(
        self,
        *,
        runs: LeasedRuns,
        expired_leases: ExpiredLeases,
        failed_events: FailedEvents,
        poll_seconds: float,
        now_seconds: Callable[[], float],
    ) -> None:
        self._runs = runs
        self._expired_leases = expired_leases
        self._failed_events = failed_events
        self._poll_seconds = poll_seconds
        self._now_seconds = now_seconds
        self._looked_at = now_seconds()

    async def run(self) -> None:
        """Until cancelled. A server that is away is waited for."""
        while True:
            await self.run_once()
            self._looked_at = self._now_seconds()
            await asyncio.sleep(self._poll_seconds)

    async def run_once(self) -> None:
        """One look at every scope. One that fails is told, and does not keep others from theirs."""
        await self._look(Scope.EXPIRED_LEASES, self._recover_operations)
        await self._look(Scope.FAILED_EVENTS, self._retry_events)

    async def _recover_operations(self) -> None:
        if await self._expired_leases.find_due():
            await self._runs.run(Scope.EXPIRED_LEASES, self._expired_leases.work)

    async def _retry_events(self) -> None:
        if await self._failed_events.count_due():
            await self._runs.run(Scope.FAILED_EVENTS, self._failed_events.work)

    async def _look(self, scope: Scope, look: Callable[[], Awaitable[None]]) -> None:
        try:
            await look()
        except TransientError as error:
            log.warning("reconciler.waits", scope=scope.value, code=error.code)
        except Exception as error:  # noqa: BLE001 - told, and tried again at the next look
            log.error("reconciler.look_failed", scope=scope.value, error=error)

    async def is_live(self) -> bool:
        """The loop still turns: a look ended within the last minute and some polls."""
        return self._now_seconds() - self._looked_at < 60 + 3 * self._poll_seconds
