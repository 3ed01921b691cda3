"""The schema as SQLAlchemy Core tables, one module per family; each says which service writes it.

Migrations build the real database; a test compares the two.
"""

from __future__ import annotations

from billing_common.storage.tables.catalogue import (
    billing_entitlements,
    billing_plan_prices,
    billing_plans,
)
from billing_common.storage.tables.checkout_sessions import billing_checkout_sessions
from billing_common.storage.tables.consumer_offsets import billing_consumer_offsets
from billing_common.storage.tables.entities import (
    billable_entities,
    billable_entity_grants,
    billing_customers,
)
from billing_common.storage.tables.feed import billing_feed_outbox, billing_relay_leases
from billing_common.storage.tables.idempotency import billing_request_idempotency
from billing_common.storage.tables.identity import (
    identity_memberships,
    identity_organizations,
    identity_role_permissions,
    identity_roles,
    identity_service_tokens,
    identity_users,
    identity_workspaces,
)
from billing_common.storage.tables.invoices import billing_invoices, billing_payments
from billing_common.storage.tables.metadata import metadata
from billing_common.storage.tables.outbox import billing_outbox_jobs
from billing_common.storage.tables.ownership import (
    COLUMN_UPDATES,
    DATABASE_USERS,
    PRIVILEGES,
    WRITERS,
)
from billing_common.storage.tables.payment_links import billing_payment_links
from billing_common.storage.tables.payment_methods import (
    billing_payment_method_sync_events,
    billing_payment_methods,
)
from billing_common.storage.tables.products import billing_products
from billing_common.storage.tables.reconciliation import billing_reconciliation_runs
from billing_common.storage.tables.remediation import billing_subscription_remediations
from billing_common.storage.tables.subscriptions import (
    billing_subscription_items,
    billing_subscriptions,
)
from billing_common.storage.tables.usage import billing_usage_counters, billing_usage_events
from billing_common.storage.tables.webhook_events import billing_webhook_events

__all__ = [
    "COLUMN_UPDATES",
    "DATABASE_USERS",
    "PRIVILEGES",
    "WRITERS",
    "billable_entities",
    "billable_entity_grants",
    "billing_checkout_sessions",
    "billing_consumer_offsets",
    "billing_customers",
    "billing_entitlements",
    "billing_feed_outbox",
    "billing_invoices",
    "billing_outbox_jobs",
    "billing_payment_links",
    "billing_payment_method_sync_events",
    "billing_payment_methods",
    "billing_payments",
    "billing_plan_prices",
    "billing_plans",
    "billing_products",
    "billing_reconciliation_runs",
    "billing_relay_leases",
    "billing_request_idempotency",
    "billing_subscription_items",
    "billing_subscription_remediations",
    "billing_subscriptions",
    "billing_usage_counters",
    "billing_usage_events",
    "billing_webhook_events",
    "identity_memberships",
    "identity_organizations",
    "identity_role_permissions",
    "identity_roles",
    "identity_service_tokens",
    "identity_users",
    "identity_workspaces",
    "metadata",
]
