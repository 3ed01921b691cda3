"""Runs of the reconciler: one running row per provider and scope.

Written by reconciler only. `runner_id` stays when a run has finished, to say who did it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint

from billing_common.storage.tables.columns import (
    count,
    created_and_updated,
    exact,
    guard,
    identity,
    lease_owner,
    lease_version,
    moment,
    provider,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import ExactText, json_document, long_human_text, word_of

RUN_STATUSES: Final = ("running", "succeeded", "failed")
_SCOPE_BYTES: Final = 64

billing_reconciliation_runs: Final = Table(
    "billing_reconciliation_runs",
    metadata,
    identity(),
    provider(),
    exact("scope", _SCOPE_BYTES),
    Column("status", word_of(*RUN_STATUSES), nullable=False, server_default="running"),
    lease_owner("runner_id"),
    moment("lease_expires_at"),
    lease_version(),
    moment("started_at", nullable=False),
    moment("finished_at"),
    Column("cursor_json", json_document(), nullable=True),
    Column("summary_json", json_document(), nullable=True),
    count("scanned_count"),
    count("drift_detected_count"),
    count("repaired_count"),
    Column("error_text", long_human_text(), nullable=True),
    # One running run per provider and scope: the unique key adds the provider.
    guard("active_run_key", ExactText(_SCOPE_BYTES), when="status = 'running'", then="scope"),
    *created_and_updated(),
    UniqueConstraint("active_run_key", "provider", name="active_run_key"),
    CheckConstraint(
        "(status = 'running') = (lease_expires_at is not null) "
        "and (status <> 'running' or runner_id is not null)",
        name="leased_exactly_while_running",
    ),
    Index("provider_started", "provider", "started_at"),
    Index("scope_started", "scope", "started_at"),
    Index("status_updated", "status", "updated_at"),
    **TABLE_OPTIONS,
)
