"""Usage counters and usage events.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180013"
down_revision = "20261122180012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_usage_counters (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            entitlement_code VARBINARY(120) NOT NULL,
            window_start_at DATETIME(6) NOT NULL,
            window_end_at DATETIME(6) NOT NULL,
            usage_count BIGINT UNSIGNED NOT NULL DEFAULT 0,
            metadata_json JSON,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_usage_counters_entity_code_window UNIQUE (billable_entity_id,
                entitlement_code, window_start_at, window_end_at),
            CONSTRAINT fk_billing_usage_counters_entity FOREIGN KEY(billable_entity_id) REFERENCES
                billable_entities (id) ON DELETE RESTRICT,
            CONSTRAINT ck_billing_usage_counters_window_ends_after_it_starts CHECK (window_end_at >
                window_start_at),
            INDEX ix_billing_usage_counters_window_end (window_end_at)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_usage_events (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            entitlement_code VARBINARY(120) NOT NULL,
            usage_event_key VARBINARY(255) NOT NULL,
            window_start_at DATETIME(6) NOT NULL,
            window_end_at DATETIME(6) NOT NULL,
            amount BIGINT UNSIGNED NOT NULL DEFAULT 1,
            metadata_json JSON,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_usage_events_entity_code_key_window UNIQUE (billable_entity_id,
                entitlement_code, usage_event_key, window_start_at, window_end_at),
            CONSTRAINT fk_billing_usage_events_entity FOREIGN KEY(billable_entity_id) REFERENCES
                billable_entities (id) ON DELETE RESTRICT,
            CONSTRAINT ck_billing_usage_events_window_ends_after_it_starts CHECK (window_end_at >
                window_start_at),
            INDEX ix_billing_usage_events_entity_code_created (billable_entity_id,
                entitlement_code, created_at),
            INDEX ix_billing_usage_events_window_end (window_end_at)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
