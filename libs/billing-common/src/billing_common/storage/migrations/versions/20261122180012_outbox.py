"""Jobs to do at the provider after a commit.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180012"
down_revision = "20261122180011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_outbox_jobs (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            billable_entity_id BIGINT UNSIGNED,
            operation_key VARBINARY(64),
            provider_event_id VARBINARY(255),
            job_type VARBINARY(96) NOT NULL,
            dedupe_key VARBINARY(255) NOT NULL,
            payload_json JSON NOT NULL,
            status ENUM('pending', 'leased', 'succeeded', 'failed', 'dead_letter') CHARACTER SET
                ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending',
            available_at DATETIME(6) NOT NULL,
            attempt_count INTEGER UNSIGNED NOT NULL DEFAULT 0,
            lease_owner VARBINARY(120),
            lease_expires_at DATETIME(6),
            lease_version INTEGER UNSIGNED NOT NULL DEFAULT 1,
            last_error_text TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci,
            finished_at DATETIME(6),
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_outbox_jobs_type_dedupe UNIQUE (job_type, dedupe_key),
            CONSTRAINT fk_billing_outbox_jobs_entity FOREIGN KEY(billable_entity_id) REFERENCES
                billable_entities (id) ON DELETE RESTRICT,
            CONSTRAINT ck_billing_outbox_jobs_lease_only_while_leased CHECK ((status = 'leased') =
                (lease_owner is not null) and (lease_owner is null) = (lease_expires_at is null)),
            INDEX ix_billing_outbox_jobs_entity_status_updated (billable_entity_id, status,
                updated_at),
            INDEX ix_billing_outbox_jobs_operation_key (operation_key),
            INDEX ix_billing_outbox_jobs_status_available (status, available_at),
            INDEX ix_billing_outbox_jobs_type_status_updated (job_type, status, updated_at)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
