"""Invoices and payments.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180007"
down_revision = "20261122180006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_invoices (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            subscription_id BIGINT UNSIGNED,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            billing_customer_id BIGINT UNSIGNED NOT NULL,
            provider VARBINARY(32) NOT NULL,
            provider_invoice_id VARBINARY(255) NOT NULL,
            provider_subscription_id VARBINARY(255),
            status VARBINARY(64) NOT NULL,
            amount_due_minor BIGINT UNSIGNED NOT NULL DEFAULT 0,
            amount_paid_minor BIGINT UNSIGNED NOT NULL DEFAULT 0,
            amount_remaining_minor BIGINT UNSIGNED NOT NULL DEFAULT 0,
            currency VARBINARY(3) NOT NULL,
            issued_at DATETIME(6),
            due_at DATETIME(6),
            paid_at DATETIME(6),
            operation_key VARBINARY(64),
            last_provider_event_created_at DATETIME(6),
            last_provider_event_id VARBINARY(255),
            row_version BIGINT UNSIGNED NOT NULL DEFAULT 1,
            metadata_json JSON,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_invoices_provider_invoice UNIQUE (provider, provider_invoice_id),
            CONSTRAINT uq_billing_invoices_id_provider UNIQUE (id, provider),
            CONSTRAINT fk_billing_invoices_entity FOREIGN KEY(billable_entity_id) REFERENCES
                billable_entities (id) ON DELETE RESTRICT,
            CONSTRAINT fk_billing_invoices_subscription FOREIGN KEY(subscription_id, provider)
                REFERENCES billing_subscriptions (id, provider) ON DELETE RESTRICT,
            CONSTRAINT fk_billing_invoices_customer_of_entity FOREIGN KEY(billing_customer_id,
                billable_entity_id, provider) REFERENCES billing_customers (id, billable_entity_id,
                provider) ON DELETE RESTRICT,
            INDEX ix_billing_invoices_customer_of_entity (billing_customer_id, billable_entity_id,
                provider),
            INDEX ix_billing_invoices_entity_updated (billable_entity_id, updated_at),
            INDEX ix_billing_invoices_provider_subscription (provider, provider_subscription_id),
            INDEX ix_billing_invoices_subscription (subscription_id, provider)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_payments (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            invoice_id BIGINT UNSIGNED NOT NULL,
            provider VARBINARY(32) NOT NULL,
            provider_payment_id VARBINARY(255) NOT NULL,
            type VARBINARY(64) NOT NULL,
            status VARBINARY(64) NOT NULL,
            amount_minor BIGINT UNSIGNED NOT NULL,
            currency VARBINARY(3) NOT NULL,
            paid_at DATETIME(6),
            last_provider_event_created_at DATETIME(6),
            last_provider_event_id VARBINARY(255),
            row_version BIGINT UNSIGNED NOT NULL DEFAULT 1,
            metadata_json JSON,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_payments_provider_payment UNIQUE (provider, provider_payment_id),
            CONSTRAINT fk_billing_payments_invoice FOREIGN KEY(invoice_id, provider) REFERENCES
                billing_invoices (id, provider) ON DELETE RESTRICT,
            INDEX ix_billing_payments_invoice (invoice_id, provider)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
