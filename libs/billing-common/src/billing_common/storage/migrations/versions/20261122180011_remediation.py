"""Remediations of duplicate subscriptions.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180011"
down_revision = "20261122180010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_subscription_remediations (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            provider VARBINARY(32) NOT NULL,
            operation_key VARBINARY(64),
            provider_event_id VARBINARY(255),
            canonical_provider_subscription_id VARBINARY(255) NOT NULL,
            canonical_subscription_id BIGINT UNSIGNED,
            duplicate_provider_subscription_id VARBINARY(255) NOT NULL,
            action ENUM('cancel_duplicate_subscription') CHARACTER SET ascii COLLATE ascii_bin NOT
                NULL DEFAULT 'cancel_duplicate_subscription',
            status ENUM('pending', 'in_progress', 'succeeded', 'failed', 'dead_letter') CHARACTER
                SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending',
            selection_algorithm_version VARBINARY(64) NOT NULL,
            attempt_count INTEGER UNSIGNED NOT NULL DEFAULT 0,
            next_attempt_at DATETIME(6),
            last_attempt_at DATETIME(6),
            resolved_at DATETIME(6),
            lease_owner VARBINARY(120),
            lease_expires_at DATETIME(6),
            lease_version INTEGER UNSIGNED NOT NULL DEFAULT 1,
            error_text TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci,
            metadata_json JSON,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_subscription_remediations_duplicate_action UNIQUE (provider,
                duplicate_provider_subscription_id, action),
            CONSTRAINT fk_billing_subscription_remediations_entity FOREIGN KEY(billable_entity_id)
                REFERENCES billable_entities (id) ON DELETE RESTRICT,
            CONSTRAINT fk_billing_subscription_remediations_canonical FOREIGN
                KEY(canonical_subscription_id) REFERENCES billing_subscriptions (id) ON DELETE SET
                NULL,
            CONSTRAINT ck_billing_subscription_remediations_canonical_not_duplicate CHECK
                (canonical_provider_subscription_id <> duplicate_provider_subscription_id),
            CONSTRAINT ck_billing_subscription_remediations_lease_only_in_progress CHECK ((status =
                'in_progress') = (lease_owner is not null) and (lease_owner is null) =
                (lease_expires_at is null)),
            INDEX ix_billing_subscription_remediations_canonical (canonical_subscription_id),
            INDEX ix_billing_subscription_remediations_entity_event (billable_entity_id,
                provider_event_id),
            INDEX ix_billing_subscription_remediations_entity_status_updated (billable_entity_id,
                status, updated_at),
            INDEX ix_billing_subscription_remediations_status_next_attempt (status, next_attempt_at)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
