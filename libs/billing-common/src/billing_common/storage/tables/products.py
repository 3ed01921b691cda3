"""What is sold once: products with one one-time price each.

Written by the operator's catalogue commands only (storage/products.py), by no service. A product
row never changes what it sells: another price is another row, and `active_product_key` allows one
active row per code.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Table, UniqueConstraint
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import (
    CODE_BYTES,
    created_and_updated,
    currency,
    exact,
    external_id,
    flag,
    guard,
    identity,
    metadata_json,
    provider,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import ExactText, human_text, long_human_text

billing_products: Final = Table(
    "billing_products",
    metadata,
    identity(),
    exact("code", CODE_BYTES),
    Column("name", human_text(160), nullable=False),
    Column("description", long_human_text(), nullable=True),
    provider(),
    external_id("provider_product_id", nullable=True),
    external_id("provider_price_id"),
    currency(),
    Column("unit_amount_minor", mysql.BIGINT(unsigned=True), nullable=False),
    flag("is_active", default=True),
    metadata_json(),
    guard("active_product_key", ExactText(CODE_BYTES), when="is_active = 1", then="code"),
    *created_and_updated(),
    UniqueConstraint("provider", "provider_price_id", name="provider_price"),
    UniqueConstraint("active_product_key", name="active_product_key"),
    **TABLE_OPTIONS,
)
