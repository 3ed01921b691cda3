"""Payment methods and their sync events.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180008"
down_revision = "20261122180007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_payment_methods (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            billing_customer_id BIGINT UNSIGNED NOT NULL,
            provider VARBINARY(32) NOT NULL,
            provider_payment_method_id VARBINARY(255) NOT NULL,
            type VARBINARY(64) NOT NULL,
            brand VARBINARY(64),
            last4 VARBINARY(4),
            exp_month INTEGER UNSIGNED,
            exp_year INTEGER UNSIGNED,
            is_default BOOL NOT NULL DEFAULT 0,
            status ENUM('active', 'detached', 'expired', 'disabled') CHARACTER SET ascii COLLATE
                ascii_bin NOT NULL DEFAULT 'active',
            last_provider_synced_at DATETIME(6),
            metadata_json JSON,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_payment_methods_provider_payment_method UNIQUE (provider,
                provider_payment_method_id),
            CONSTRAINT fk_billing_payment_methods_entity FOREIGN KEY(billable_entity_id) REFERENCES
                billable_entities (id) ON DELETE RESTRICT,
            CONSTRAINT fk_billing_payment_methods_customer_of_entity FOREIGN
                KEY(billing_customer_id, billable_entity_id, provider) REFERENCES billing_customers
                (id, billable_entity_id, provider) ON DELETE RESTRICT,
            INDEX ix_billing_payment_methods_customer_of_entity (billing_customer_id,
                billable_entity_id, provider),
            INDEX ix_billing_payment_methods_entity_default (billable_entity_id, is_default),
            INDEX ix_billing_payment_methods_entity_status (billable_entity_id, status)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_payment_method_sync_events (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            billing_customer_id BIGINT UNSIGNED,
            provider VARBINARY(32) NOT NULL,
            event_type VARBINARY(64) NOT NULL DEFAULT 'manual_sync',
            provider_event_id VARBINARY(255),
            status ENUM('succeeded', 'failed', 'skipped') CHARACTER SET ascii COLLATE ascii_bin NOT
                NULL,
            error_text TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci,
            payload_json JSON,
            processed_at DATETIME(6),
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT fk_billing_payment_method_sync_events_entity FOREIGN KEY(billable_entity_id)
                REFERENCES billable_entities (id) ON DELETE RESTRICT,
            CONSTRAINT fk_billing_payment_method_sync_events_customer FOREIGN
                KEY(billing_customer_id) REFERENCES billing_customers (id) ON DELETE SET NULL,
            INDEX ix_billing_payment_method_sync_events_customer (billing_customer_id),
            INDEX ix_billing_payment_method_sync_events_entity_created (billable_entity_id,
                created_at),
            INDEX ix_billing_payment_method_sync_events_provider_status_created (provider, status,
                created_at)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
