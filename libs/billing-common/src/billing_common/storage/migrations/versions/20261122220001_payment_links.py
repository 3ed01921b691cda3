"""Payment links: addresses at which anybody who has them can pay once."""

from __future__ import annotations

from alembic import op

revision = "20261122220001"
down_revision = "20261122220000"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_payment_links (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            provider VARBINARY(32) NOT NULL,
            provider_payment_link_id VARBINARY(255) NOT NULL,
            idempotency_row_id BIGINT UNSIGNED,
            operation_key VARBINARY(64) NOT NULL,
            status ENUM('active', 'completed', 'inactive') CHARACTER SET ascii COLLATE ascii_bin
                NOT NULL,
            url VARBINARY(2048) NOT NULL,
            completed_at DATETIME(6),
            deactivated_at DATETIME(6),
            last_provider_event_created_at DATETIME(6),
            last_provider_event_id VARBINARY(255),
            row_version BIGINT UNSIGNED NOT NULL DEFAULT 1,
            metadata_json JSON,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_payment_links_provider_link UNIQUE (provider,
                provider_payment_link_id),
            CONSTRAINT uq_billing_payment_links_provider_operation UNIQUE (provider, operation_key),
            CONSTRAINT uq_billing_payment_links_idempotency_row UNIQUE (idempotency_row_id),
            CONSTRAINT fk_billing_payment_links_entity FOREIGN KEY(billable_entity_id) REFERENCES
                billable_entities (id) ON DELETE RESTRICT,
            CONSTRAINT fk_billing_payment_links_idempotency_row FOREIGN KEY(idempotency_row_id)
                REFERENCES billing_request_idempotency (id) ON DELETE SET NULL,
            INDEX ix_billing_payment_links_entity_status (billable_entity_id, status)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would forget which links can be paid."""
    raise RuntimeError("This revision cannot be taken back; restore a backup.")
