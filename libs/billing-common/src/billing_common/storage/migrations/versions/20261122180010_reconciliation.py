"""Reconciliation runs.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180010"
down_revision = "20261122180009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_reconciliation_runs (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            provider VARBINARY(32) NOT NULL,
            scope VARBINARY(64) NOT NULL,
            status ENUM('running', 'succeeded', 'failed') CHARACTER SET ascii COLLATE ascii_bin NOT
                NULL DEFAULT 'running',
            runner_id VARBINARY(120),
            lease_expires_at DATETIME(6),
            lease_version INTEGER UNSIGNED NOT NULL DEFAULT 1,
            started_at DATETIME(6) NOT NULL,
            finished_at DATETIME(6),
            cursor_json JSON,
            summary_json JSON,
            scanned_count INTEGER UNSIGNED NOT NULL DEFAULT 0,
            drift_detected_count INTEGER UNSIGNED NOT NULL DEFAULT 0,
            repaired_count INTEGER UNSIGNED NOT NULL DEFAULT 0,
            error_text TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci,
            active_run_key VARBINARY(64) GENERATED ALWAYS AS ((case when status = 'running' then
                scope end)) STORED,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_reconciliation_runs_active_run_key UNIQUE (active_run_key,
                provider),
            CONSTRAINT ck_billing_reconciliation_runs_leased_exactly_while_running CHECK ((status =
                'running') = (lease_expires_at is not null) and (status <> 'running' or runner_id
                is not null)),
            INDEX ix_billing_reconciliation_runs_provider_started (provider, started_at),
            INDEX ix_billing_reconciliation_runs_scope_started (scope, started_at),
            INDEX ix_billing_reconciliation_runs_status_updated (status, updated_at)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
