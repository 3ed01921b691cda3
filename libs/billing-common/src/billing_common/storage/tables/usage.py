"""How much of a metered entitlement was used in a window.

Written by no service yet: the service that takes usage gets its grants together with that work.
A window is half open, in UTC; the event key makes one report count once.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint, text
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import (
    CODE_BYTES,
    created_and_updated,
    exact,
    external_id,
    identity,
    metadata_json,
    moment,
    restrict,
    row_reference,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata

billing_usage_counters: Final = Table(
    "billing_usage_counters",
    metadata,
    identity(),
    row_reference("billable_entity_id"),
    exact("entitlement_code", CODE_BYTES),
    moment("window_start_at", nullable=False),
    moment("window_end_at", nullable=False),
    Column("usage_count", mysql.BIGINT(unsigned=True), nullable=False, server_default=text("0")),
    metadata_json(),
    *created_and_updated(),
    UniqueConstraint(
        "billable_entity_id",
        "entitlement_code",
        "window_start_at",
        "window_end_at",
        name="entity_code_window",
    ),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    CheckConstraint("window_end_at > window_start_at", name="window_ends_after_it_starts"),
    Index("window_end", "window_end_at"),
    **TABLE_OPTIONS,
)

billing_usage_events: Final = Table(
    "billing_usage_events",
    metadata,
    identity(),
    row_reference("billable_entity_id"),
    exact("entitlement_code", CODE_BYTES),
    external_id("usage_event_key"),
    moment("window_start_at", nullable=False),
    moment("window_end_at", nullable=False),
    Column("amount", mysql.BIGINT(unsigned=True), nullable=False, server_default=text("1")),
    metadata_json(),
    *created_and_updated(),
    UniqueConstraint(
        "billable_entity_id",
        "entitlement_code",
        "usage_event_key",
        "window_start_at",
        "window_end_at",
        name="entity_code_key_window",
    ),
    restrict("entity", ["billable_entity_id"], "billable_entities"),
    CheckConstraint("window_end_at > window_start_at", name="window_ends_after_it_starts"),
    Index("entity_code_created", "billable_entity_id", "entitlement_code", "created_at"),
    Index("window_end", "window_end_at"),
    **TABLE_OPTIONS,
)
