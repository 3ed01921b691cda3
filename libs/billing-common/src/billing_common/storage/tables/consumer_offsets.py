"""How far a consumer has stored a partition, in the same transaction as what it stored.

Written by projection only. On assignment the consumer seeks to `next_offset`, so the committed
offset of the broker is never trusted over the rows.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, PrimaryKeyConstraint, Table
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import CODE_BYTES, exact, moment
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata

billing_consumer_offsets: Final = Table(
    "billing_consumer_offsets",
    metadata,
    exact("consumer_group", CODE_BYTES),
    exact("topic", CODE_BYTES),
    Column("kafka_partition", mysql.INTEGER(unsigned=True), autoincrement=False),
    Column("next_offset", mysql.BIGINT(unsigned=True), nullable=False),
    moment("updated_at", nullable=False),
    PrimaryKeyConstraint("consumer_group", "topic", "kafka_partition"),
    **TABLE_OPTIONS,
)
