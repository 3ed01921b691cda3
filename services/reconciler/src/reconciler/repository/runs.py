"""billing_reconciliation_runs: who is running which scope, by lease and the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update

from billing_common.storage.entity_locks import database_now
from billing_common.storage.insert_once import Inserted, insert_once
from billing_common.storage.tables import billing_reconciliation_runs as runs
from billing_common.storage.transaction import WriteConnection

_ACTIVE = frozenset({"uq_billing_reconciliation_runs_active_run_key"})


@dataclass(frozen=True, slots=True)
class LeasedRun:
    """A run that is ours while `lease_version` stands."""

    id: int
    scope: str
    lease_version: int


@dataclass(frozen=True, slots=True)
class RunCounts:
    """What a run did."""

    scanned: int = 0
    drift_detected: int = 0
    repaired: int = 0


async def acquire(
    connection: WriteConnection, *, provider: str, scope: str, runner_id: str, lease: timedelta
) -> LeasedRun | None:
    """A new run, or the takeover of one whose lease has ended; None while another runs it."""
    now = await database_now(connection)
    inserted = await insert_once(
        connection,
        runs,
        {
            "provider": provider,
            "scope": scope,
            "status": "running",
            "runner_id": runner_id,
            "lease_expires_at": now + lease,
            "lease_version": 1,
            "started_at": now,
            "created_at": now,
            "updated_at": now,
        },
        expected_conflicts=_ACTIVE,
    )
    if isinstance(inserted, Inserted):
        return LeasedRun(inserted.id, scope, 1)
    found = await connection.execute(
        select(runs.c.id, runs.c.lease_version, runs.c.lease_expires_at)
        .where(runs.c.provider == provider, runs.c.active_run_key == scope)
        .with_for_update()
    )
    row = found.one_or_none()
    if row is None or row.lease_expires_at > now:
        return None
    version = row.lease_version + 1
    await connection.execute(
        update(runs)
        .where(runs.c.id == row.id)
        .values(
            runner_id=runner_id,
            lease_expires_at=now + lease,
            lease_version=version,
            updated_at=now,
        )
    )
    return LeasedRun(row.id, scope, version)


async def renew(connection: WriteConnection, run: LeasedRun, *, lease: timedelta) -> bool:
    """Prolong the lease. False: it is not ours any more; stop without writing."""
    now = await database_now(connection)
    result = await connection.execute(
        update(runs).where(*_ours(run)).values(lease_expires_at=now + lease, updated_at=now)
    )
    return result.rowcount == 1


async def finish(
    connection: WriteConnection,
    run: LeasedRun,
    *,
    succeeded: bool,
    counts: RunCounts,
    error_text: str | None,
) -> bool:
    """End the run. False: it was taken over meanwhile."""
    now: datetime = await database_now(connection)
    result = await connection.execute(
        update(runs)
        .where(*_ours(run))
        .values(
            status="succeeded" if succeeded else "failed",
            lease_expires_at=None,
            finished_at=now,
            scanned_count=counts.scanned,
            drift_detected_count=counts.drift_detected,
            repaired_count=counts.repaired,
            error_text=error_text,
            updated_at=now,
        )
    )
    return result.rowcount == 1


def _ours(run: LeasedRun) -> tuple[ColumnElement[bool], ...]:
    return (
        runs.c.id == run.id,
        runs.c.status == "running",
        runs.c.lease_version == run.lease_version,
    )
