"""Plan versions, prices and entitlements.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180003"
down_revision = "20261122180002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_plans (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            code VARBINARY(120) NOT NULL,
            version INTEGER UNSIGNED NOT NULL,
            name VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
            description TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci,
            applies_to ENUM('any', 'workspace', 'user', 'organization', 'external') CHARACTER SET
                ascii COLLATE ascii_bin NOT NULL DEFAULT 'any',
            is_active BOOL NOT NULL DEFAULT 1,
            metadata_json JSON,
            active_plan_key VARBINARY(120) GENERATED ALWAYS AS ((case when is_active = 1 then code
                end)) STORED,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_plans_code_version UNIQUE (code, version),
            CONSTRAINT uq_billing_plans_active_plan_key UNIQUE (active_plan_key)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_plan_prices (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            plan_id BIGINT UNSIGNED NOT NULL,
            provider VARBINARY(32) NOT NULL,
            billing_component ENUM('base', 'seat', 'metered', 'add_on') CHARACTER SET ascii COLLATE
                ascii_bin NOT NULL DEFAULT 'base',
            usage_type ENUM('licensed', 'metered') CHARACTER SET ascii COLLATE ascii_bin NOT NULL
                DEFAULT 'licensed',
            `interval` ENUM('day', 'week', 'month', 'year') CHARACTER SET ascii COLLATE ascii_bin
                NOT NULL,
            interval_count INTEGER UNSIGNED NOT NULL DEFAULT 1,
            currency VARBINARY(3) NOT NULL,
            unit_amount_minor BIGINT UNSIGNED NOT NULL,
            provider_product_id VARBINARY(255),
            provider_price_id VARBINARY(255) NOT NULL,
            is_active BOOL NOT NULL DEFAULT 1,
            metadata_json JSON,
            sellable_price_key BIGINT UNSIGNED GENERATED ALWAYS AS ((case when is_active = 1 and
                usage_type = 'licensed' and billing_component = 'base' then plan_id end)) STORED,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_plan_prices_provider_price UNIQUE (provider, provider_price_id),
            CONSTRAINT uq_billing_plan_prices_sellable_price_key UNIQUE (sellable_price_key,
                provider),
            CONSTRAINT uq_billing_plan_prices_id_provider UNIQUE (id, provider),
            CONSTRAINT fk_billing_plan_prices_plan FOREIGN KEY(plan_id) REFERENCES billing_plans
                (id) ON DELETE RESTRICT,
            CONSTRAINT ck_billing_plan_prices_interval_count_is_positive CHECK (interval_count >=
                1),
            INDEX ix_billing_plan_prices_plan_active (plan_id, is_active),
            INDEX ix_billing_plan_prices_plan_provider (plan_id, provider)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_entitlements (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            plan_id BIGINT UNSIGNED NOT NULL,
            code VARBINARY(120) NOT NULL,
            schema_version VARBINARY(120) NOT NULL,
            value_json JSON NOT NULL,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_entitlements_plan_code UNIQUE (plan_id, code),
            CONSTRAINT fk_billing_entitlements_plan FOREIGN KEY(plan_id) REFERENCES billing_plans
                (id) ON DELETE RESTRICT
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
