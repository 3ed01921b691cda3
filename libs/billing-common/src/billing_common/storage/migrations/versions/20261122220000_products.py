"""Products that are sold once, with one one-time price each."""

from __future__ import annotations

from alembic import op

revision = "20261122220000"
down_revision = "20261122213000"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_products (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            code VARBINARY(120) NOT NULL,
            name VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
            description TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci,
            provider VARBINARY(32) NOT NULL,
            provider_product_id VARBINARY(255),
            provider_price_id VARBINARY(255) NOT NULL,
            currency VARBINARY(3) NOT NULL,
            unit_amount_minor BIGINT UNSIGNED NOT NULL,
            is_active BOOL NOT NULL DEFAULT 1,
            metadata_json JSON,
            active_product_key VARBINARY(120) GENERATED ALWAYS AS ((case when is_active = 1 then
                code end)) STORED,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_products_provider_price UNIQUE (provider, provider_price_id),
            CONSTRAINT uq_billing_products_active_product_key UNIQUE (active_product_key)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would forget what was sold."""
    raise RuntimeError("This revision cannot be taken back; restore a backup.")
