"""What the provider says a customer is subscribed to, and the priced lines of it.

Written by projection (from events) and by reconciler (from fetched truth). A terminal row is
never current, and an entity has at most one current row.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint
from sqlalchemy.dialects import mysql

from billing_common.storage.tables.columns import (
    BILLING_COMPONENTS,
    USAGE_TYPES,
    created_and_updated,
    external_id,
    flag,
    guard,
    identity,
    metadata_json,
    moment,
    operation_key,
    provider,
    restrict,
    row_reference,
    watermark,
)
from billing_common.storage.tables.metadata import TABLE_OPTIONS, metadata
from billing_common.storage.types import word_of

SUBSCRIPTION_STATUSES: Final = (
    "incomplete",
    "trialing",
    "active",
    "past_due",
    "paused",
    "unpaid",
    "canceled",
    "incomplete_expired",
)

billing_subscriptions: Final = Table(
    "billing_subscriptions",
    metadata,
    identity(),
    row_reference("billable_entity_id"),
    row_reference("plan_id"),
    row_reference("billing_customer_id"),
    provider(),
    external_id("provider_subscription_id"),
    Column("status", word_of(*SUBSCRIPTION_STATUSES), nullable=False),
    # Written once: canonical selection sorts by it.
    moment("provider_subscription_created_at", nullable=False),
    moment("current_period_start"),
    moment("current_period_end"),
    moment("trial_end"),
    moment("cancel_at"),
    moment("canceled_at"),
    moment("ended_at"),
    flag("cancel_at_period_end", default=False),
    flag("is_current", default=False),
    operation_key(),
    *watermark(),
    metadata_json(),
    guard(
        "current_subscription_key",
        mysql.BIGINT(unsigned=True),
        when="is_current = 1",
        then="billable_entity_id",
    ),
    *created_and_updated(),
    UniqueConstraint("provider", "provider_subscription_id", name="provider_subscription"),
    UniqueConstraint("current_subscription_key", name="current_subscription_key"),
    UniqueConstraint("id", "provider", name="id_provider"),
    restrict("plan", ["plan_id"], "billing_plans"),
    restrict(
        "customer_of_entity",
        ["billing_customer_id", "billable_entity_id", "provider"],
        "billing_customers",
        ["id", "billable_entity_id", "provider"],
    ),
    CheckConstraint(
        "is_current = 0 or status in "
        "('incomplete', 'trialing', 'active', 'past_due', 'paused', 'unpaid')",
        name="terminal_is_never_current",
    ),
    Index("entity_status", "billable_entity_id", "status"),
    Index("operation_key", "operation_key"),
    Index("plan", "plan_id"),
    Index("customer_of_entity", "billing_customer_id", "billable_entity_id", "provider"),
    **TABLE_OPTIONS,
)

billing_subscription_items: Final = Table(
    "billing_subscription_items",
    metadata,
    identity(),
    row_reference("subscription_id"),
    provider(),
    external_id("provider_subscription_item_id"),
    external_id("provider_price_id"),
    row_reference("billing_plan_price_id", nullable=True),
    Column(
        "billing_component", word_of(*BILLING_COMPONENTS), nullable=False, server_default="base"
    ),
    Column("usage_type", word_of(*USAGE_TYPES), nullable=False, server_default="licensed"),
    Column("quantity", mysql.INTEGER(unsigned=True), nullable=True),
    moment("current_period_start"),
    moment("current_period_end"),
    flag("is_active", default=True),
    *watermark(),
    metadata_json(),
    *created_and_updated(),
    UniqueConstraint("provider", "provider_subscription_item_id", name="provider_item"),
    restrict(
        "subscription",
        ["subscription_id", "provider"],
        "billing_subscriptions",
        ["id", "provider"],
    ),
    restrict(
        "plan_price",
        ["billing_plan_price_id", "provider"],
        "billing_plan_prices",
        ["id", "provider"],
    ),
    Index("subscription_active", "subscription_id", "is_active"),
    Index("subscription", "subscription_id", "provider"),
    Index("plan_price", "billing_plan_price_id", "provider"),
    **TABLE_OPTIONS,
)
