"""Identity: users, workspaces, memberships, role permissions.

Part of the baseline. IF NOT EXISTS, because DDL commits by itself: a run that died half-way
through this revision is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122180001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of this family."""
    op.execute("""
        CREATE TABLE IF NOT EXISTS identity_users (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            external_id VARBINARY(255) NOT NULL,
            display_name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci,
            status ENUM('active', 'inactive') CHARACTER SET ascii COLLATE ascii_bin NOT NULL
                DEFAULT 'active',
            sync_version BIGINT UNSIGNED NOT NULL DEFAULT 0,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_identity_users_external_id UNIQUE (external_id)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS identity_workspaces (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            external_id VARBINARY(255) NOT NULL,
            slug VARBINARY(255) NOT NULL,
            name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
            owner_user_id BIGINT UNSIGNED NOT NULL,
            status ENUM('active', 'inactive') CHARACTER SET ascii COLLATE ascii_bin NOT NULL
                DEFAULT 'active',
            sync_version BIGINT UNSIGNED NOT NULL DEFAULT 0,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_identity_workspaces_external_id UNIQUE (external_id),
            CONSTRAINT uq_identity_workspaces_slug UNIQUE (slug),
            CONSTRAINT fk_identity_workspaces_owner FOREIGN KEY(owner_user_id) REFERENCES
                identity_users (id) ON DELETE RESTRICT,
            INDEX ix_identity_workspaces_owner (owner_user_id)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS identity_memberships (
            workspace_id BIGINT UNSIGNED NOT NULL,
            user_id BIGINT UNSIGNED NOT NULL,
            `role` VARBINARY(120) NOT NULL,
            sync_version BIGINT UNSIGNED NOT NULL DEFAULT 0,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (workspace_id, user_id),
            CONSTRAINT fk_identity_memberships_workspace FOREIGN KEY(workspace_id) REFERENCES
                identity_workspaces (id) ON DELETE RESTRICT,
            CONSTRAINT fk_identity_memberships_user FOREIGN KEY(user_id) REFERENCES identity_users
                (id) ON DELETE RESTRICT,
            INDEX ix_identity_memberships_user (user_id)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS identity_role_permissions (
            `role` VARBINARY(120) NOT NULL,
            permission VARBINARY(120) NOT NULL,
            created_at DATETIME(6) NOT NULL,
            PRIMARY KEY (`role`, permission)
        ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
    """)


def downgrade() -> None:
    """Refused: it would drop what customers paid for."""
    raise RuntimeError(
        "The baseline cannot be taken back; restore a backup into an empty database."
    )
