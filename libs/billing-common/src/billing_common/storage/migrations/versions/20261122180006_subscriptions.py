"""Subscriptions and their items.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180006"
down_revision = "20261122180005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_subscriptions (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            plan_id BIGINT UNSIGNED NOT NULL,
            billing_customer_id BIGINT UNSIGNED NOT NULL,
            provider VARBINARY(32) NOT NULL,
            provider_subscription_id VARBINARY(255) NOT NULL,
            status ENUM('incomplete', 'trialing', 'active', 'past_due', 'paused', 'unpaid',
                'canceled', 'incomplete_expired') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            provider_subscription_created_at DATETIME(6) NOT NULL,
            current_period_start DATETIME(6),
            current_period_end DATETIME(6),
            trial_end DATETIME(6),
            cancel_at DATETIME(6),
            canceled_at DATETIME(6),
            ended_at DATETIME(6),
            cancel_at_period_end BOOL NOT NULL DEFAULT 0,
            is_current BOOL NOT NULL DEFAULT 0,
            operation_key VARBINARY(64),
            last_provider_event_created_at DATETIME(6),
            last_provider_event_id VARBINARY(255),
            row_version BIGINT UNSIGNED NOT NULL DEFAULT 1,
            metadata_json JSON,
            current_subscription_key BIGINT UNSIGNED GENERATED ALWAYS AS ((case when is_current = 1
                then billable_entity_id end)) STORED,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_subscriptions_provider_subscription UNIQUE (provider,
                provider_subscription_id),
            CONSTRAINT uq_billing_subscriptions_current_subscription_key UNIQUE
                (current_subscription_key),
            CONSTRAINT uq_billing_subscriptions_id_provider UNIQUE (id, provider),
            CONSTRAINT fk_billing_subscriptions_plan FOREIGN KEY(plan_id) REFERENCES billing_plans
                (id) ON DELETE RESTRICT,
            CONSTRAINT fk_billing_subscriptions_customer_of_entity FOREIGN KEY(billing_customer_id,
                billable_entity_id, provider) REFERENCES billing_customers (id, billable_entity_id,
                provider) ON DELETE RESTRICT,
            CONSTRAINT ck_billing_subscriptions_terminal_is_never_current CHECK (is_current = 0 or
                status in ('incomplete', 'trialing', 'active', 'past_due', 'paused', 'unpaid')),
            INDEX ix_billing_subscriptions_customer_of_entity (billing_customer_id,
                billable_entity_id, provider),
            INDEX ix_billing_subscriptions_entity_status (billable_entity_id, status),
            INDEX ix_billing_subscriptions_operation_key (operation_key),
            INDEX ix_billing_subscriptions_plan (plan_id)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_subscription_items (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            subscription_id BIGINT UNSIGNED NOT NULL,
            provider VARBINARY(32) NOT NULL,
            provider_subscription_item_id VARBINARY(255) NOT NULL,
            provider_price_id VARBINARY(255) NOT NULL,
            billing_plan_price_id BIGINT UNSIGNED,
            billing_component ENUM('base', 'seat', 'metered', 'add_on') CHARACTER SET ascii COLLATE
                ascii_bin NOT NULL DEFAULT 'base',
            usage_type ENUM('licensed', 'metered') CHARACTER SET ascii COLLATE ascii_bin NOT NULL
                DEFAULT 'licensed',
            quantity INTEGER UNSIGNED,
            current_period_start DATETIME(6),
            current_period_end DATETIME(6),
            is_active BOOL NOT NULL DEFAULT 1,
            last_provider_event_created_at DATETIME(6),
            last_provider_event_id VARBINARY(255),
            row_version BIGINT UNSIGNED NOT NULL DEFAULT 1,
            metadata_json JSON,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_subscription_items_provider_item UNIQUE (provider,
                provider_subscription_item_id),
            CONSTRAINT fk_billing_subscription_items_subscription FOREIGN KEY(subscription_id,
                provider) REFERENCES billing_subscriptions (id, provider) ON DELETE RESTRICT,
            CONSTRAINT fk_billing_subscription_items_plan_price FOREIGN KEY(billing_plan_price_id,
                provider) REFERENCES billing_plan_prices (id, provider) ON DELETE RESTRICT,
            INDEX ix_billing_subscription_items_plan_price (billing_plan_price_id, provider),
            INDEX ix_billing_subscription_items_subscription (subscription_id, provider),
            INDEX ix_billing_subscription_items_subscription_active (subscription_id, is_active)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
