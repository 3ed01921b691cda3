"""How Alembic runs our revisions: on a connection that billing_common.storage.migrate opened.

There is no offline mode and no URL in a file. The connection is in autocommit, because DDL
commits by itself on MySQL and MariaDB; each revision is recorded as soon as it is done.
"""

from __future__ import annotations

from alembic import context

from billing_common.storage.tables import metadata


def _run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise RuntimeError("run: python -m billing_common.storage.migrate --url-from-env")
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=True,
        on_version_apply=context.config.attributes["on_version_apply"],
    )
    with context.begin_transaction():
        context.run_migrations()


_run()
