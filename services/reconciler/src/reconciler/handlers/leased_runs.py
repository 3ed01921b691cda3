"""The frame of every scope: acquire the run, do a bounded piece of work, record what was done.

One run per scope at a time over all replicas; a runner that lost its lease stops without writing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from billing_common.domain.errors import TransientError
from billing_common.messaging.consumer_policy import failure_code
from billing_common.observability.metrics import FENCED_WRITES, RECONCILIATION_RUNS, guardrail
from billing_common.storage.transaction import Database
from reconciler.decisions.scopes import POLICIES, Scope
from reconciler.repository import runs
from reconciler.repository.runs import LeasedRun, RunCounts

log = structlog.get_logger()
PROVIDER: Final = "stripe"


class RunFenced(TransientError):  # noqa: N818 - exceptions are facts here
    """Another runner has taken the run over: this one writes nothing more."""

    code = "reconciliation_run_fenced"


@dataclass(frozen=True, slots=True)
class RunHandle:
    """What a scope's work gets: prove between pages that the run is still ours."""

    renew: Callable[[], Awaitable[None]]


Work = Callable[[RunHandle], Awaitable[RunCounts]]


class LeasedRuns:
    """Runs scopes. `runner_id` names this process in the run rows."""

    def __init__(self, *, database: Database, runner_id: str) -> None:
        self._database = database
        self._runner_id = runner_id

    async def run(self, scope: Scope, work: Work) -> RunCounts | None:
        """One run of `scope`; None when another process is at it.

        A failing run is recorded as failed, and its error raised again.
        """
        lease = POLICIES[scope].lease
        run = await self._database.write(
            lambda connection: runs.acquire(
                connection,
                provider=PROVIDER,
                scope=scope.value,
                runner_id=self._runner_id,
                lease=lease,
            ),
            name="acquire_run",
        )
        if run is None:
            return None

        async def renew() -> None:
            is_ours = await self._database.write(
                lambda connection: runs.renew(connection, run, lease=lease), name="renew_run"
            )
            if not is_ours:
                FENCED_WRITES.labels(name="renew_run").inc()
                raise RunFenced(f"run {run.id} of {scope.value} was taken over")

        try:
            counts = await work(RunHandle(renew))
        except RunFenced:
            guardrail("BILLING_RECONCILIATION_LEASE_FENCED")
            raise
        except Exception as error:
            await self._finish(run, RunCounts(), error_code=failure_code(error))
            raise
        await self._finish(run, counts, error_code=None)
        return counts

    async def _finish(self, run: LeasedRun, counts: RunCounts, *, error_code: str | None) -> None:
        is_ours = await self._database.write(
            lambda connection: runs.finish(
                connection,
                run,
                succeeded=error_code is None,
                counts=counts,
                error_text=error_code,
            ),
            name="finish_run",
        )
        result = "succeeded" if error_code is None else "failed"
        RECONCILIATION_RUNS.labels(scope=run.scope, result=result).inc()
        if not is_ours:
            FENCED_WRITES.labels(name="finish_run").inc()
        log.info(
            "reconciler.run_finished",
            scope=run.scope,
            run_id=run.id,
            status=result,
            count=counts.repaired,
            code=error_code,
        )
