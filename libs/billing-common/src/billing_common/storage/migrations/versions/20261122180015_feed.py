"""The feed outbox and its relay leases.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180015"
down_revision = "20261122180014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_feed_outbox (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            shard SMALLINT UNSIGNED NOT NULL,
            billable_entity_id BIGINT UNSIGNED NOT NULL,
            topic VARBINARY(120) NOT NULL,
            message_key VARBINARY(255) NOT NULL,
            payload MEDIUMBLOB NOT NULL,
            headers_json JSON,
            created_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT fk_billing_feed_outbox_entity FOREIGN KEY(billable_entity_id) REFERENCES
                billable_entities (id) ON DELETE RESTRICT,
            INDEX ix_billing_feed_outbox_entity (billable_entity_id),
            INDEX ix_billing_feed_outbox_shard_id (shard, id)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS billing_relay_leases (
            name VARBINARY(120) NOT NULL,
            lease_owner VARBINARY(120),
            lease_expires_at DATETIME(6),
            lease_version INTEGER UNSIGNED NOT NULL DEFAULT 1,
            PRIMARY KEY (name),
            CONSTRAINT ck_billing_relay_leases_lease_is_whole CHECK ((lease_owner is null) =
                (lease_expires_at is null))
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
