"""Checkout sessions and their blocking guard.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180005"
down_revision = "20261122180004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_checkout_sessions (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            provider VARBINARY(32) NOT NULL,
            flow ENUM('subscription', 'one_off') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            provider_checkout_session_id VARBINARY(255),
            idempotency_row_id BIGINT UNSIGNED,
            operation_key VARBINARY(64) NOT NULL,
            provider_customer_id VARBINARY(255),
            provider_subscription_id VARBINARY(255),
            status ENUM('open', 'completed_pending_subscription', 'recovery_verification_pending',
                'completed_reconciled', 'expired', 'abandoned') CHARACTER SET ascii COLLATE
                ascii_bin NOT NULL,
            checkout_url TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci,
            expires_at DATETIME(6),
            completed_at DATETIME(6),
            last_provider_event_created_at DATETIME(6),
            last_provider_event_id VARBINARY(255),
            row_version BIGINT UNSIGNED NOT NULL DEFAULT 1,
            metadata_json JSON,
            active_checkout_block_key BIGINT UNSIGNED GENERATED ALWAYS AS ((case when flow =
                'subscription' and status in ('open', 'completed_pending_subscription',
                'recovery_verification_pending') then billable_entity_id end)) STORED,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_checkout_sessions_provider_session UNIQUE (provider,
                provider_checkout_session_id),
            CONSTRAINT uq_billing_checkout_sessions_provider_operation UNIQUE (provider,
                operation_key),
            CONSTRAINT uq_billing_checkout_sessions_idempotency_row UNIQUE (idempotency_row_id),
            CONSTRAINT uq_billing_checkout_sessions_provider_subscription UNIQUE (provider,
                provider_subscription_id),
            CONSTRAINT uq_billing_checkout_sessions_active_checkout_block_key UNIQUE
                (active_checkout_block_key),
            CONSTRAINT fk_billing_checkout_sessions_entity FOREIGN KEY(billable_entity_id)
                REFERENCES billable_entities (id) ON DELETE RESTRICT,
            CONSTRAINT fk_billing_checkout_sessions_idempotency_row FOREIGN KEY(idempotency_row_id)
                REFERENCES billing_request_idempotency (id) ON DELETE SET NULL,
            INDEX ix_billing_checkout_sessions_entity_status (billable_entity_id, status),
            INDEX ix_billing_checkout_sessions_operation_key (operation_key),
            INDEX ix_billing_checkout_sessions_status_expires (status, expires_at)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
