"""What the checkout tests stand on: real rows, the double's ledger, and commands like gateway's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select, update
from tests.fixtures.databases import Database as TestDatabase

from billing_common.contracts.commands import (
    Actor,
    BillingWrite,
    Command,
    RecoverOperation,
    StartOneOffCheckout,
    StartSubscriptionCheckout,
)
from billing_common.contracts.replies import Reply
from billing_common.domain.canonical_json import canonical_json, sha256_hex
from billing_common.domain.operation_keys import operation_key
from billing_common.settings import STRIPE_API_VERSION
from billing_common.storage.catalogue import publish_plan
from billing_common.storage.tables import (
    billable_entities,
    billing_checkout_sessions,
    billing_customers,
    billing_outbox_jobs,
    billing_request_idempotency,
    billing_subscriptions,
)
from billing_common.storage.transaction import Database
from billing_common.stripe_api.client import StripeProvider
from checkout.handlers.commands import handle_command
from checkout.handlers.context import CheckoutContext
from stripe_double.testing import RunningDouble

OPERATION_SECRET = b"o" * 32
PROVIDER_KEY_SECRET = b"p" * 32
PLAN_CODE = "pro"
PUBLIC_URL = "https://app.example.com"
LEASE_SECONDS = 60.0
CREATE_SESSION = "checkout.sessions.create"
CREATE_CUSTOMER = "customers.create"

operations = billing_request_idempotency
sessions = billing_checkout_sessions
subscriptions = billing_subscriptions


@dataclass(slots=True)
class Desk:
    """`handle` is what the consumer calls. Every `worker` is another process as the rows see it."""

    test_database: TestDatabase
    double: RunningDouble
    context: CheckoutContext
    entity_id: int
    price_id: str
    plan_id: int
    providers: list[StripeProvider] = field(default_factory=list)

    async def close(self) -> None:
        for provider in self.providers:
            await provider.close()

    # -- commands -----------------------------------------------------------------------------

    def start(self, client_key: str, **changes: Any) -> Command:
        """As api-gateway makes it. `changes`: plan_code, success_path, entity_id, deadline_at,
        operation_key."""
        entity_id = changes.get("entity_id", self.entity_id)
        request = {
            "planCode": changes.get("plan_code", PLAN_CODE),
            "successPath": changes.get("success_path", "/billing/done"),
            "cancelPath": "/billing",
        }
        return self._command(
            changes.get("operation_key")
            or operation_key(
                OPERATION_SECRET,
                action="checkout",
                billable_entity_id=entity_id,
                client_idempotency_key=client_key,
            ),
            StartSubscriptionCheckout(
                client_idempotency_key=client_key,
                request_fingerprint_hash=sha256_hex(canonical_json(request)),
                normalized_request=request,
                plan_code=request["planCode"],
                success_path=request["successPath"],
                cancel_path=request["cancelPath"],
            ),
            entity_id=entity_id,
            deadline_at=changes.get("deadline_at"),
        )

    def write(
        self, client_key: str, action: str, payload: type[BillingWrite], **facts: Any
    ) -> Command:
        """Any other write of this entity; `facts` are the payload's own fields."""
        return self._command(
            operation_key(
                OPERATION_SECRET,
                action=action,
                billable_entity_id=self.entity_id,
                client_idempotency_key=client_key,
            ),
            payload.model_validate(
                {
                    "client_idempotency_key": client_key,
                    "request_fingerprint_hash": sha256_hex(canonical_json(facts)),
                    "normalized_request": facts,
                    **facts,
                }
            ),
            entity_id=self.entity_id,
        )

    def start_one_off(self, client_key: str, **changes: Any) -> Command:
        """As api-gateway makes it. `changes`: the item's fields, entity_id."""
        entity_id = changes.pop("entity_id", self.entity_id)
        item = {"name": "Consulting", "amount_minor": 12_345, "quantity": 2, "currency": "usd"}
        item |= changes
        return self._command(
            operation_key(
                OPERATION_SECRET,
                action="checkout",
                billable_entity_id=entity_id,
                client_idempotency_key=client_key,
            ),
            StartOneOffCheckout(
                client_idempotency_key=client_key,
                request_fingerprint_hash=sha256_hex(canonical_json(item)),
                normalized_request=item,
                success_path="/done",
                cancel_path="/",
                **item,
            ),
            entity_id=entity_id,
        )

    async def buy_once(self, client_key: str, **changes: Any) -> Reply:
        return await self.handle(self.start_one_off(client_key, **changes))

    def recover(self, row: Any) -> Command:
        """As reconciler sends it for a row whose lease ended."""
        return self._command(
            row.operation_key, RecoverOperation(idempotency_row_id=row.id), entity_id=self.entity_id
        )

    def _command(
        self,
        key: str,
        payload: BillingWrite | RecoverOperation,
        *,
        entity_id: int,
        deadline_at: datetime | None = None,
    ) -> Command:
        now = datetime.now(UTC)
        return Command(
            command_id=uuid4(),
            operation_key=key,
            billable_entity_id=entity_id,
            actor=Actor(kind="user", id="usr_1"),
            request_id=f"req_{uuid4().hex[:8]}",
            issued_at=now,
            deadline_at=deadline_at or now + timedelta(seconds=25),
            payload=payload,
        )

    async def handle(self, command: Command) -> Reply:
        return await handle_command(self.context, command)

    async def checkout(self, client_key: str, **changes: Any) -> Reply:
        return await self.handle(self.start(client_key, **changes))

    def worker(self, name: str, **changes: Any) -> CheckoutContext:
        """The same desk as another process."""
        return replace(self.context, lease_owner=name, **changes)

    def provider(self, **changes: Any) -> StripeProvider:
        """Another client of the double, with other settings."""
        settings: dict[str, Any] = {
            "secret_key": self.double.api_key,
            "api_version": STRIPE_API_VERSION,
            "timeout_seconds": 5,
            "base_url": self.double.url,
            **changes,
        }
        made = StripeProvider(**settings)
        self.providers.append(made)
        return made

    # -- rows ---------------------------------------------------------------------------------

    async def rows(self, table: Any, **where: Any) -> list[Any]:
        """All rows with these values, oldest first."""
        statement = select(table).order_by(table.c.id)
        for name, value in where.items():
            statement = statement.where(table.c[name] == value)
        async with self.test_database.engine.connect() as connection:
            return list((await connection.execute(statement)).all())

    async def row(self, table: Any, **where: Any) -> Any:
        """The only row with these values."""
        found = await self.rows(table, **where)
        assert len(found) == 1, f"{len(found)} rows of {table.name} with {where}"
        return found[0]

    async def operation(self, client_key: str) -> Any:
        return await self.row(operations, client_idempotency_key=client_key)

    async def set(self, table: Any, row_id: int, **values: Any) -> None:
        async with self.test_database.engine.begin() as connection:
            await connection.execute(update(table).where(table.c.id == row_id).values(**values))

    async def end_lease(self, client_key: str) -> Any:
        """As if its worker had been gone for longer than the lease. The row, read again."""
        row = await self.operation(client_key)
        past = datetime.now(UTC) - timedelta(seconds=1)
        await self.set(operations, row.id, pending_lease_expires_at=past)
        return await self.operation(client_key)

    async def add_entity(self) -> int:
        now = datetime.now(UTC)
        async with self.test_database.engine.begin() as connection:
            result = await connection.execute(
                insert(billable_entities).values(
                    entity_type="external",
                    entity_ref=uuid4().hex,
                    status="active",
                    created_at=now,
                    updated_at=now,
                )
            )
        return int(result.lastrowid)

    async def add_subscription(
        self, *, status: str = "active", operation_key: str | None = None, **values: Any
    ) -> None:
        """As projection stores it."""
        now = datetime.now(UTC)
        customer = await self.row(billing_customers, billable_entity_id=self.entity_id)
        async with self.test_database.engine.begin() as connection:
            await connection.execute(
                insert(subscriptions).values(
                    **{
                        "billable_entity_id": self.entity_id,
                        "plan_id": self.plan_id,
                        "billing_customer_id": customer.id,
                        "provider": "stripe",
                        "provider_subscription_id": f"sub_{uuid4().hex}",
                        "status": status,
                        "provider_subscription_created_at": now,
                        "is_current": status not in ("canceled", "incomplete_expired"),
                        "operation_key": operation_key,
                        "row_version": 1,
                        "created_at": now,
                        "updated_at": now,
                        **values,
                    }
                )
            )

    async def add_session(self, *, status: str, operation_key: str, **values: Any) -> None:
        """As projection, reconciler or an earlier checkout stores it."""
        now = datetime.now(UTC)
        async with self.test_database.engine.begin() as connection:
            await connection.execute(
                insert(sessions).values(
                    **{
                        "billable_entity_id": self.entity_id,
                        "provider": "stripe",
                        "flow": "subscription",
                        "operation_key": operation_key,
                        "status": status,
                        "row_version": 1,
                        "created_at": now,
                        "updated_at": now,
                        **values,
                    }
                )
            )

    async def jobs(self) -> list[Any]:
        return await self.rows(billing_outbox_jobs)

    # -- the oracle ---------------------------------------------------------------------------

    def stripe_sessions(self, **where: Any) -> list[dict[str, Any]]:
        return self.double.call(lambda control: control.objects("checkout.session", **where))

    def stripe_customers(self) -> list[dict[str, Any]]:
        return self.double.call(lambda control: control.objects("customer"))

    def requests(self, operation: str, **facts: Any) -> list[Any]:
        return self.double.ledger("request", operation=operation, **facts)

    def fault(self, kind: str, operation: str = CREATE_SESSION, **details: Any) -> None:
        self.double.call(lambda control: control.add_fault(kind, operation=operation, **details))

    def pay(self, session_id: str) -> dict[str, Any]:
        return self.double.call(lambda control: control.pay(session_id))


async def make_desk(test_database: TestDatabase, double: RunningDouble) -> Desk:
    """A fresh desk: nothing claimed, no customer yet."""
    catalogue = double.call(lambda control: control.seed_catalog())
    async with test_database.engine.begin() as connection:
        plan_id = await publish_plan(
            connection,
            code=PLAN_CODE,
            name="Pro",
            description=None,
            provider="stripe",
            provider_price_id=catalogue["price"]["id"],
            provider_product_id=catalogue["product"]["id"],
            currency="usd",
            unit_amount_minor=1200,
            interval="month",
            interval_count=1,
            entitlements=(),
            now=datetime.now(UTC),
        )
    desk = Desk(
        test_database=test_database,
        double=double,
        context=None,  # type: ignore[arg-type]  # two lines below
        entity_id=0,
        price_id=catalogue["price"]["id"],
        plan_id=plan_id,
    )
    desk.context = CheckoutContext(
        database=Database(test_database.engine),
        provider=desk.provider(),
        provider_key_secret=PROVIDER_KEY_SECRET,
        currency="usd",
        public_url=PUBLIC_URL,
        lease_owner="worker-1",
        lease_seconds=LEASE_SECONDS,
        provider_timeout_seconds=5,
        utc_now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
    )
    desk.entity_id = await desk.add_entity()
    return desk


def code_of(reply: Reply) -> str:
    """The canonical failure code of a reply's body."""
    code: str = json.loads(reply.body)["error"]["code"]
    return code


def details_of(reply: Reply) -> dict[str, Any]:
    details: dict[str, Any] = json.loads(reply.body)["error"].get("details", {})
    return details


def unchanged(before: Any, after: Any) -> bool:
    """Whether not one column of the row moved."""
    return tuple(before) == tuple(after)


Check = Callable[[Any], bool]
