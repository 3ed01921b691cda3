"""Organizations, versions of roles, and the tokens of other services.

IF NOT EXISTS, because DDL commits by itself: a run that died half-way is repeated.
"""

from __future__ import annotations

from alembic import op

revision = "20261122210000"
down_revision = "20261122180015"
branch_labels = None
depends_on = None

_OPTIONS = "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci"


def upgrade() -> None:
    """Create the tables; roles that were stated before stay stated."""
    op.execute(f"""
        CREATE TABLE IF NOT EXISTS identity_organizations (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            kind ENUM('organization', 'external') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            external_id VARBINARY(255) NOT NULL,
            name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
            status ENUM('active', 'inactive') CHARACTER SET ascii COLLATE ascii_bin NOT NULL
                DEFAULT 'active',
            sync_version BIGINT UNSIGNED NOT NULL DEFAULT 0,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_identity_organizations_kind_external_id UNIQUE (kind, external_id)
        ) {_OPTIONS}
    """)
    op.execute(f"""
        CREATE TABLE IF NOT EXISTS identity_roles (
            `role` VARBINARY(120) NOT NULL,
            sync_version BIGINT UNSIGNED NOT NULL DEFAULT 0,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (`role`)
        ) {_OPTIONS}
    """)
    op.execute(f"""
        CREATE TABLE IF NOT EXISTS identity_service_tokens (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            name VARBINARY(120) NOT NULL,
            token_sha256 VARBINARY(64) NOT NULL,
            scopes_json JSON NOT NULL,
            expires_at DATETIME(6),
            revoked_at DATETIME(6),
            sync_version BIGINT UNSIGNED NOT NULL DEFAULT 0,
            created_at DATETIME(6) NOT NULL,
            updated_at DATETIME(6) NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT uq_identity_service_tokens_name UNIQUE (name),
            CONSTRAINT uq_identity_service_tokens_token UNIQUE (token_sha256)
        ) {_OPTIONS}
    """)
    op.execute("""
        INSERT INTO identity_roles (`role`, sync_version, created_at, updated_at)
        SELECT stated.`role`, 0, MIN(stated.created_at), MIN(stated.created_at)
        FROM identity_role_permissions AS stated
        WHERE NOT EXISTS (SELECT 1 FROM identity_roles AS known WHERE known.`role` = stated.`role`)
        GROUP BY stated.`role`
    """)


def downgrade() -> None:
    """Refused: it would forget who may act."""
    raise RuntimeError("This revision cannot be taken back; restore a backup.")
