"""Billable entities, their grants and their provider customers.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180002"
down_revision = "20261122180001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billable_entities (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            entity_type ENUM('workspace', 'user', 'organization', 'external') CHARACTER SET ascii
                COLLATE ascii_bin NOT NULL DEFAULT 'workspace',
            entity_ref VARBINARY(255),
            workspace_id BIGINT UNSIGNED,
            owner_user_id BIGINT UNSIGNED,
            status ENUM('active', 'inactive') CHARACTER SET ascii COLLATE ascii_bin NOT NULL
                DEFAULT 'active',
            entitlement_version BIGINT UNSIGNED NOT NULL DEFAULT 0,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billable_entities_workspace UNIQUE (workspace_id),
            CONSTRAINT uq_billable_entities_type_ref UNIQUE (entity_type, entity_ref),
            CONSTRAINT fk_billable_entities_workspace FOREIGN KEY(workspace_id) REFERENCES
                identity_workspaces (id) ON DELETE RESTRICT,
            CONSTRAINT fk_billable_entities_owner FOREIGN KEY(owner_user_id) REFERENCES
                identity_users (id) ON DELETE RESTRICT,
            INDEX ix_billable_entities_owner (owner_user_id),
            INDEX ix_billable_entities_type_status (entity_type, status)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS billable_entity_grants (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            user_id BIGINT UNSIGNED NOT NULL,
            permission VARBINARY(120) NOT NULL,
            created_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billable_entity_grants_entity_user_permission UNIQUE (billable_entity_id,
                user_id, permission),
            CONSTRAINT fk_billable_entity_grants_entity FOREIGN KEY(billable_entity_id) REFERENCES
                billable_entities (id) ON DELETE RESTRICT,
            CONSTRAINT fk_billable_entity_grants_user FOREIGN KEY(user_id) REFERENCES
                identity_users (id) ON DELETE RESTRICT,
            INDEX ix_billable_entity_grants_user (user_id)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_customers (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            provider VARBINARY(32) NOT NULL,
            provider_customer_id VARBINARY(255) NOT NULL,
            email VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci,
            metadata_json JSON,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_billing_customers_provider_customer UNIQUE (provider,
                provider_customer_id),
            CONSTRAINT uq_billing_customers_entity_provider UNIQUE (billable_entity_id, provider),
            CONSTRAINT uq_billing_customers_id_entity_provider UNIQUE (id, billable_entity_id,
                provider),
            CONSTRAINT fk_billing_customers_entity FOREIGN KEY(billable_entity_id) REFERENCES
                billable_entities (id) ON DELETE RESTRICT
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
