"""The one MetaData, and how its constraints are called.

A constraint carries its own short name in the table module; the convention puts kind and table
in front, because CHECK names are global to a schema on MySQL. So
`UniqueConstraint(..., name="provider_event")` of billing_webhook_events is
`uq_billing_webhook_events_provider_event`, which is the name a 1062 error tells.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import MetaData

metadata: Final = MetaData(
    naming_convention={
        "uq": "uq_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(constraint_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

TABLE_OPTIONS: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_row_format": "DYNAMIC",
    "mysql_default_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_unicode_ci",
}
