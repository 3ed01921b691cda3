"""Which key of an operation's fixed series is in use (docs/adr/0012).

Looks before it adds, because DDL commits by itself: a run that died half-way is repeated.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "20261122213000"
down_revision = "20261122210000"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; every operation so far is at its first key."""
    known = op.get_bind().execute(
        text(
            "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() "
            "AND table_name = 'billing_request_idempotency' AND column_name = 'provider_attempt'"
        )
    )
    if not known.scalar_one():
        op.execute("""
            ALTER TABLE billing_request_idempotency
                ADD COLUMN provider_attempt INTEGER UNSIGNED NOT NULL DEFAULT 1
                    AFTER provider_idempotency_key,
                ALGORITHM=INSTANT
        """)


def downgrade() -> None:
    """Refused: it would forget which key was sent."""
    raise RuntimeError("This revision cannot be taken back; restore a backup.")
