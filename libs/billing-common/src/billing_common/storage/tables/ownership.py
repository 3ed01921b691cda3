"""Which service may write which table. `deploy/mysql/grants.sql` says the same; a test compares.

Every service may read every table. To lock a row is to ask for an UPDATE privilege on MySQL, so a
service that locks rows it does not own may update one harmless column of them and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

GATEWAY: Final = "api-gateway"
CHECKOUT: Final = "checkout"
PROJECTION: Final = "projection"
RECONCILER: Final = "reconciler"

# webhook-ingest has no database.
DATABASE_USERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        GATEWAY: "hf_gateway",
        CHECKOUT: "hf_checkout",
        PROJECTION: "hf_projection",
        RECONCILER: "hf_reconciler",
    }
)

_FULL: Final = frozenset({"INSERT", "UPDATE", "DELETE"})
_KEEP: Final = frozenset({"INSERT", "UPDATE"})
_ADD: Final = frozenset({"INSERT"})
_MOVE: Final = frozenset({"UPDATE"})
_RELAY: Final = frozenset({"INSERT", "DELETE"})

# Table -> service -> what it may do to whole rows.
PRIVILEGES: Final[Mapping[str, Mapping[str, frozenset[str]]]] = MappingProxyType(
    {
        "identity_users": {GATEWAY: _KEEP},
        "identity_workspaces": {GATEWAY: _KEEP},
        "identity_organizations": {GATEWAY: _KEEP},
        "identity_memberships": {GATEWAY: _FULL},
        "identity_roles": {GATEWAY: _KEEP},
        "identity_role_permissions": {GATEWAY: _FULL},
        "identity_service_tokens": {GATEWAY: _KEEP},
        "billable_entities": {GATEWAY: _KEEP},
        "billable_entity_grants": {GATEWAY: _FULL},
        "billing_customers": {CHECKOUT: _KEEP, PROJECTION: _MOVE, RECONCILER: _MOVE},
        # The operator's catalogue commands write these with the migration user.
        "billing_plans": {},
        "billing_plan_prices": {},
        "billing_entitlements": {},
        "billing_products": {},
        "billing_request_idempotency": {CHECKOUT: _KEEP, PROJECTION: _MOVE, RECONCILER: _MOVE},
        "billing_checkout_sessions": {CHECKOUT: _KEEP, PROJECTION: _KEEP, RECONCILER: _KEEP},
        "billing_payment_links": {CHECKOUT: _KEEP, PROJECTION: _MOVE, RECONCILER: _MOVE},
        "billing_subscriptions": {PROJECTION: _KEEP, RECONCILER: _KEEP},
        "billing_subscription_items": {PROJECTION: _KEEP, RECONCILER: _KEEP},
        "billing_invoices": {PROJECTION: _KEEP, RECONCILER: _KEEP},
        "billing_payments": {PROJECTION: _KEEP, RECONCILER: _KEEP},
        "billing_payment_methods": {PROJECTION: _KEEP, RECONCILER: _KEEP},
        "billing_payment_method_sync_events": {PROJECTION: _ADD, RECONCILER: _ADD},
        "billing_webhook_events": {PROJECTION: _KEEP, RECONCILER: _KEEP},
        "billing_reconciliation_runs": {RECONCILER: _KEEP},
        "billing_subscription_remediations": {
            CHECKOUT: _ADD,
            PROJECTION: _KEEP,
            RECONCILER: _KEEP,
        },
        "billing_outbox_jobs": {CHECKOUT: _ADD, PROJECTION: _ADD, RECONCILER: _KEEP},
        "billing_feed_outbox": {PROJECTION: _RELAY, RECONCILER: _ADD},
        "billing_relay_leases": {PROJECTION: _KEEP},
        "billing_consumer_offsets": {PROJECTION: _KEEP},
        # The service that takes usage gets its grants together with that work.
        "billing_usage_counters": {},
        "billing_usage_events": {},
    }
)

WRITERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {table: frozenset(by_service) for table, by_service in PRIVILEGES.items()}
)

# Table -> service -> the columns it may update of rows that it does not own.
# `updated_at` alone is the price of SELECT ... FOR UPDATE.
COLUMN_UPDATES: Final[Mapping[str, Mapping[str, frozenset[str]]]] = MappingProxyType(
    {
        "billable_entities": {
            CHECKOUT: frozenset({"updated_at"}),
            PROJECTION: frozenset({"entitlement_version", "updated_at"}),
            RECONCILER: frozenset({"entitlement_version", "updated_at"}),
        },
        "billing_subscriptions": {CHECKOUT: frozenset({"updated_at"})},
        "billing_subscription_remediations": {CHECKOUT: frozenset({"updated_at"})},
        "billing_outbox_jobs": {
            CHECKOUT: frozenset({"updated_at"}),
            PROJECTION: frozenset({"updated_at"}),
        },
    }
)
