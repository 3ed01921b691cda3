"""Provider events that were met.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180009"
down_revision = "20261122180008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_webhook_events (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            provider VARBINARY(32) NOT NULL,
            provider_event_id VARBINARY(255) NOT NULL,
            billable_entity_id BIGINT UNSIGNED,
            operation_key VARBINARY(64),
            event_type VARBINARY(120) NOT NULL,
            object_id VARBINARY(255),
            object_type VARBINARY(120),
            api_version VARBINARY(64),
            livemode BOOL NOT NULL,
            account VARBINARY(255),
            provider_created_at DATETIME(6) NOT NULL,
            status ENUM('received', 'processing', 'processed', 'ignored', 'failed', 'dead_letter')
                CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'received',
            outcome_code VARBINARY(120),
            received_at DATETIME(6) NOT NULL,
            processing_started_at DATETIME(6),
            processed_at DATETIME(6),
            last_failed_at DATETIME(6),
            next_attempt_at DATETIME(6),
            attempt_count INTEGER UNSIGNED NOT NULL DEFAULT 0,
            error_text TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci,
            kafka_topic VARBINARY(120),
            kafka_partition INTEGER UNSIGNED,
            kafka_offset BIGINT UNSIGNED,
            payload LONGBLOB,
            payload_retention_until DATETIME(6),
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_webhook_events_provider_event UNIQUE (provider,
                provider_event_id),
            CONSTRAINT fk_billing_webhook_events_entity FOREIGN KEY(billable_entity_id) REFERENCES
                billable_entities (id) ON DELETE RESTRICT,
            INDEX ix_billing_webhook_events_entity_updated (billable_entity_id, updated_at),
            INDEX ix_billing_webhook_events_object_status (object_id, status),
            INDEX ix_billing_webhook_events_operation_updated (operation_key, updated_at),
            INDEX ix_billing_webhook_events_payload_retention (payload_retention_until),
            INDEX ix_billing_webhook_events_received (received_at),
            INDEX ix_billing_webhook_events_status_next_attempt (status, next_attempt_at),
            INDEX ix_billing_webhook_events_status_updated (status, updated_at)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
