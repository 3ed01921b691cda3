"""What is sold: plan versions, their prices at the provider, and what they entitle to.

Written by the operator's catalogue commands only (storage/catalogue.py), by no service. A plan
version never changes: a change is a new version, and `active_plan_key` allows one active version
per code. billing_plan_prices is the only place that says which provider price is which plan.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint, text
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import (
    BILLING_COMPONENTS,
    BILLING_INTERVALS,
    CODE_BYTES,
    USAGE_TYPES,
    created_and_updated,
    currency,
    exact,
    external_id,
    flag,
    guard,
    identity,
    metadata_json,
    provider,
    restrict,
    row_reference,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import (
    ExactText,
    human_text,
    json_document,
    long_human_text,
    word_of,
)

APPLIES_TO: Final = ("any", "workspace", "user", "organization", "external")

billing_plans: Final = Table(
    "billing_plans",
    metadata,
    identity(),
    exact("code", CODE_BYTES),
    Column("version", mysql.INTEGER(unsigned=True), nullable=False),
    Column("name", human_text(160), nullable=False),
    Column("description", long_human_text(), nullable=True),
    Column("applies_to", word_of(*APPLIES_TO), nullable=False, server_default="any"),
    flag("is_active", default=True),
    metadata_json(),
    guard("active_plan_key", ExactText(CODE_BYTES), when="is_active = 1", then="code"),
    *created_and_updated(),
    UniqueConstraint("code", "version", name="code_version"),
    UniqueConstraint("active_plan_key", name="active_plan_key"),
    **TABLE_OPTIONS,
)

billing_plan_prices: Final = Table(
    "billing_plan_prices",
    metadata,
    identity(),
    row_reference("plan_id"),
    provider(),
    Column(
        "billing_component", word_of(*BILLING_COMPONENTS), nullable=False, server_default="base"
    ),
    Column("usage_type", word_of(*USAGE_TYPES), nullable=False, server_default="licensed"),
    Column("interval", word_of(*BILLING_INTERVALS), nullable=False),
    Column(
        "interval_count", mysql.INTEGER(unsigned=True), nullable=False, server_default=text("1")
    ),
    currency(),
    Column("unit_amount_minor", mysql.BIGINT(unsigned=True), nullable=False),
    external_id("provider_product_id", nullable=True),
    external_id("provider_price_id"),
    flag("is_active", default=True),
    metadata_json(),
    # One sellable base price per plan and provider: the unique key adds the provider.
    guard(
        "sellable_price_key",
        mysql.BIGINT(unsigned=True),
        when="is_active = 1 and usage_type = 'licensed' and billing_component = 'base'",
        then="plan_id",
    ),
    *created_and_updated(),
    UniqueConstraint("provider", "provider_price_id", name="provider_price"),
    UniqueConstraint("sellable_price_key", "provider", name="sellable_price_key"),
    UniqueConstraint("id", "provider", name="id_provider"),
    restrict("plan", ["plan_id"], "billing_plans"),
    CheckConstraint("interval_count >= 1", name="interval_count_is_positive"),
    Index("plan_active", "plan_id", "is_active"),
    Index("plan_provider", "plan_id", "provider"),
    **TABLE_OPTIONS,
)

billing_entitlements: Final = Table(
    "billing_entitlements",
    metadata,
    identity(),
    row_reference("plan_id"),
    exact("code", CODE_BYTES),
    exact("schema_version", CODE_BYTES),
    Column("value_json", json_document(), nullable=False),
    *created_and_updated(),
    UniqueConstraint("plan_id", "code", name="plan_code"),
    restrict("plan", ["plan_id"], "billing_plans"),
    **TABLE_OPTIONS,
)
