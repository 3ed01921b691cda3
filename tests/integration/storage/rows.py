"""Smallest legal rows of every guarded table, each with one call; overrides make them special."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from billing_common.storage import tables as t

NOW = datetime(2026, 11, 22, 18, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
LEASE = {"lease_owner": "worker-1", "lease_expires_at": LATER}
PENDING_LEASE = {"lease_owner": "worker-1", "pending_lease_expires_at": LATER}


class Rows:
    """Inserts rows on one connection. Every id and key is new unless it is given."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self._numbers = itertools.count(1)

    def word(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers)}"

    async def insert(self, table: Table, **values: Any) -> int:
        stated = {"created_at": NOW, "updated_at": NOW} | values
        known = {name: value for name, value in stated.items() if name in table.c}
        assert set(values) <= set(known), f"{table.name} has no {set(values) - set(known)}"
        result = await self.connection.execute(insert(table).values(**known))
        return int(result.lastrowid or 0)

    async def user(self, **values: Any) -> int:
        return await self.insert(t.identity_users, **({"external_id": self.word("user")} | values))

    async def entity(self, **values: Any) -> int:
        return await self.insert(
            t.billable_entities,
            **({"entity_type": "external", "entity_ref": self.word("ref")} | values),
        )

    async def customer(self, entity: int, **values: Any) -> int:
        return await self.insert(
            t.billing_customers,
            **(
                {
                    "billable_entity_id": entity,
                    "provider": "stripe",
                    "provider_customer_id": self.word("cus"),
                }
                | values
            ),
        )

    async def plan(self, **values: Any) -> int:
        return await self.insert(
            t.billing_plans,
            **({"code": self.word("plan"), "version": 1, "name": "Plan"} | values),
        )

    async def price(self, plan: int, **values: Any) -> int:
        return await self.insert(
            t.billing_plan_prices,
            **(
                {
                    "plan_id": plan,
                    "provider": "stripe",
                    "provider_price_id": self.word("price"),
                    "interval": "month",
                    "currency": "usd",
                    "unit_amount_minor": 900,
                }
                | values
            ),
        )

    async def subscription(self, entity: int, customer: int, plan: int, **values: Any) -> int:
        return await self.insert(
            t.billing_subscriptions,
            **(
                {
                    "billable_entity_id": entity,
                    "billing_customer_id": customer,
                    "plan_id": plan,
                    "provider": "stripe",
                    "provider_subscription_id": self.word("sub"),
                    "status": "active",
                    "is_current": True,
                    "provider_subscription_created_at": NOW,
                }
                | values
            ),
        )

    async def operation(self, entity: int, **values: Any) -> int:
        return await self.insert(
            t.billing_request_idempotency,
            **(
                {
                    "billable_entity_id": entity,
                    "action": "checkout",
                    "flow": "subscription",
                    "client_idempotency_key": self.word("key"),
                    "request_fingerprint_hash": "f" * 64,
                    "normalized_request_json": {},
                    "operation_key": self.word("operation"),
                    "provider": "stripe",
                    "provider_idempotency_key": self.word("provider_key"),
                }
                | values
            ),
        )

    async def session(self, entity: int, **values: Any) -> int:
        return await self.insert(
            t.billing_checkout_sessions,
            **(
                {
                    "billable_entity_id": entity,
                    "provider": "stripe",
                    "flow": "subscription",
                    "operation_key": self.word("operation"),
                    "status": "open",
                }
                | values
            ),
        )

    async def run(self, **values: Any) -> int:
        return await self.insert(
            t.billing_reconciliation_runs,
            **(
                {
                    "provider": "stripe",
                    "scope": "pending_recent",
                    "status": "running",
                    "runner_id": "worker-1",
                    "lease_expires_at": LATER,
                    "started_at": NOW,
                }
                | values
            ),
        )

    async def remediation(self, entity: int, **values: Any) -> int:
        return await self.insert(
            t.billing_subscription_remediations,
            **(
                {
                    "billable_entity_id": entity,
                    "provider": "stripe",
                    "canonical_provider_subscription_id": self.word("sub"),
                    "duplicate_provider_subscription_id": self.word("sub"),
                    "selection_algorithm_version": "dup_canonical_v2",
                }
                | values
            ),
        )

    async def job(self, **values: Any) -> int:
        return await self.insert(
            t.billing_outbox_jobs,
            **(
                {
                    "job_type": "expire_checkout_session",
                    "dedupe_key": self.word("job"),
                    "payload_json": {},
                    "available_at": NOW,
                }
                | values
            ),
        )

    async def event(self, **values: Any) -> int:
        return await self.insert(
            t.billing_webhook_events,
            **(
                {
                    "provider": "stripe",
                    "provider_event_id": self.word("evt"),
                    "event_type": "customer.subscription.updated",
                    "livemode": False,
                    "provider_created_at": NOW,
                    "received_at": NOW,
                }
                | values
            ),
        )
