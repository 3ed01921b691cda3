"""${message}

One concern per revision, safe while the services of the previous release run: expand first, move
data in its own job, contract in a later release. State the online algorithm on every ALTER
(`ALGORITHM=INSTANT` or `ALGORITHM=INPLACE, LOCK=NONE`), so that the server refuses a table copy.
"""

from __future__ import annotations

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Expand the schema."""
    op.execute("""
    """)


def downgrade() -> None:
    """Refused: the way back is a new revision."""
    raise RuntimeError("Holdfast's schema only goes forward; write a new revision that contracts.")
