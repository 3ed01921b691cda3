from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, insert, update
from tests.fixtures.databases import Database
from tests.integration.api_gateway.gateways import Product, store_operation

from billing_common.domain.entitlements import PlanEntitlement
from billing_common.storage.catalogue import publish_plan
from billing_common.storage.tables import (
    billing_checkout_sessions,
    billing_customers,
    billing_invoices,
    billing_payments,
    billing_subscription_items,
    billing_subscriptions,
    billing_webhook_events,
)

pytestmark = [pytest.mark.connected, pytest.mark.requirement("SUR-01")]

T0 = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
KEY = "d" * 64


class Books:
    """Writes rows as the other services would."""

    def __init__(self, database: Database, entity_id: str) -> None:
        self.database = database
        self.entity_id = int(entity_id)

    async def add(self, table: Table, **values: Any) -> int:
        stamps = {"created_at": T0, "updated_at": T0}
        async with self.database.engine.begin() as connection:
            row = {"provider": "stripe"} | stamps | values
            result = await connection.execute(insert(table).values(**row))
            return int(result.lastrowid)

    async def publish(self, code: str, *, name: str = "Pro") -> int:
        async with self.database.engine.begin() as connection:
            return await publish_plan(
                connection,
                code=code,
                name=name,
                description=None,
                provider="stripe",
                provider_price_id=f"price_{code}_{name}",
                provider_product_id=f"prod_{code}",
                currency="usd",
                unit_amount_minor=1900,
                interval="month",
                interval_count=1,
                entitlements=[
                    PlanEntitlement(
                        code="projects",
                        schema_version="entitlement.boolean.v1",
                        value={"enabled": True},
                    )
                ],
                now=T0,
            )

    async def subscribe(self) -> None:
        plan_id = await self.publish("pro")
        customer_id = await self.add(
            billing_customers, billable_entity_id=self.entity_id, provider_customer_id="cus_1"
        )
        subscription_id = await self.add(
            billing_subscriptions,
            billable_entity_id=self.entity_id,
            plan_id=plan_id,
            billing_customer_id=customer_id,
            provider_subscription_id="sub_1",
            status="active",
            provider_subscription_created_at=T0,
            current_period_end=T0 + timedelta(days=30),
            is_current=True,
            operation_key=KEY,
            last_provider_event_id="evt_sub",
            last_provider_event_created_at=T0,
            updated_at=T0 + timedelta(seconds=3),
        )
        await self.add(
            billing_subscription_items,
            subscription_id=subscription_id,
            provider_subscription_item_id="si_1",
            provider_price_id="price_pro_Pro",
            quantity=1,
        )
        for number in range(27):
            invoice_id = await self.add(
                billing_invoices,
                subscription_id=subscription_id,
                billable_entity_id=self.entity_id,
                billing_customer_id=customer_id,
                provider_invoice_id=f"in_{number}",
                status="paid",
                amount_due_minor=1900,
                amount_paid_minor=1900,
                currency="usd",
                issued_at=T0 + timedelta(days=number),
                updated_at=T0 + timedelta(days=number),
            )
        await self.add(
            billing_payments,
            invoice_id=invoice_id,
            provider_payment_id="py_1",
            type="payment_intent",
            status="succeeded",
            amount_minor=1900,
            currency="usd",
        )


@pytest.fixture
async def books(product: Product, database: Database) -> Books:
    synced = await product.put_user("ann")
    await product.put_user("eve")
    return Books(database, synced["billableEntityId"])


async def test_plans_show_what_is_on_sale_and_no_provider_id(
    product: Product, books: Books
) -> None:
    await books.publish("pro", name="Old")
    await books.publish("pro", name="Pro")
    answer = await product.get("/api/billing/plans", "eve")
    assert "price_" not in answer.text
    assert "prod_" not in answer.text
    [plan] = answer.json()["plans"]
    assert (plan["code"], plan["name"], plan["version"]) == ("pro", "Pro", 2)
    assert plan["corePrice"] == {
        "interval": "month",
        "intervalCount": 1,
        "currency": "usd",
        "unitAmountMinor": 1900,
    }
    assert plan["entitlements"] == [
        {"code": "projects", "schemaVersion": "entitlement.boolean.v1", "value": {"enabled": True}}
    ]


async def test_the_snapshot_shows_own_truth_only(product: Product, books: Books) -> None:
    empty = (await product.get("/api/billing/subscription", "ann")).json()
    assert empty["subscription"] is None
    assert empty["customer"] == {"exists": False}
    assert empty["items"] == empty["invoices"] == empty["payments"] == []

    await books.subscribe()
    answer = await product.get("/api/billing/subscription", "ann")
    assert all(word not in answer.text for word in ("sub_1", "cus_1", "in_1", "py_1", "si_1"))
    seen = answer.json()
    assert seen["billableEntity"]["entityType"] == "user"
    assert seen["customer"] == {"exists": True}
    assert seen["subscription"]["status"] == "active"
    assert seen["subscription"]["planCode"] == "pro"
    assert seen["subscription"]["currentPeriodEnd"] == "2026-12-01T12:00:00.000Z"
    assert len(seen["items"]) == 1
    assert len(seen["invoices"]) == 25
    assert seen["invoices"][0]["issuedAt"] == "2026-11-27T12:00:00.000Z"
    assert [payment["amountMinor"] for payment in seen["payments"]] == [1900]
    assert seen["payments"][0]["invoiceId"] == seen["invoices"][0]["id"]
    other = (await product.get("/api/billing/subscription", "eve")).json()
    assert (other["subscription"], other["invoices"]) == (None, [])


async def test_the_timeline_pages_through_everything_once_in_order(
    product: Product, books: Books
) -> None:
    await books.subscribe()
    row_id = await store_operation(
        books.database.engine,
        books.entity_id,
        operation_key=KEY,
        status="failed",
        failure_code="checkout_plan_not_found",
        created_at=T0,
        updated_at=T0,
    )
    await books.add(
        billing_checkout_sessions,
        billable_entity_id=books.entity_id,
        flow="subscription",
        idempotency_row_id=row_id,
        operation_key=KEY,
        status="completed_reconciled",
    )
    for number in range(5):  # all in the same microsecond as others
        await books.add(
            billing_webhook_events,
            provider_event_id=f"evt_{number}",
            billable_entity_id=books.entity_id,
            event_type="invoice.paid",
            livemode=False,
            provider_created_at=T0,
            status="processed",
            received_at=T0,
        )
    await books.add(
        billing_webhook_events,
        provider_event_id="evt_of_nobody",
        event_type="invoice.paid",
        livemode=False,
        provider_created_at=T0,
        status="ignored",
        received_at=T0,
    )

    async def read(query: str) -> dict[str, Any]:
        answer = await product.get(f"/api/billing/timeline?{query}", "ann")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    whole = (await read("pageSize=100"))["entries"]
    assert len(whole) == 27 + 1 + 1 + 1 + 1 + 5
    moments = [entry["occurredAt"] for entry in whole]
    assert moments == sorted(moments, reverse=True)
    paged: list[Any] = []
    cursor = ""
    for _ in range(20):
        page = await read(f"pageSize=3{cursor}")
        paged += page["entries"]
        if not page["hasMore"]:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert paged == whole
    assert {entry["kind"] for entry in whole} == {
        "checkout_session",
        "idempotency",
        "invoice",
        "payment",
        "subscription",
        "webhook",
    }
    [request] = [entry for entry in whole if entry["kind"] == "idempotency"]
    assert request["id"] == f"idempotency:{row_id}"
    assert request["title"] == "Request failed"
    assert "checkout_plan_not_found" in request["description"]

    by_key = (await read(f"operationKey={KEY}"))["entries"]
    assert {entry["kind"] for entry in by_key} == {
        "idempotency",
        "checkout_session",
        "subscription",
    }
    by_event = (await read("providerEventId=evt_sub"))["entries"]
    assert [entry["kind"] for entry in by_event] == ["subscription"]
    assert len((await read("source=webhook"))["entries"]) == 5
    assert (await product.get("/api/billing/timeline", "eve")).json()["entries"] == []


async def test_bad_timeline_queries_name_their_field(product: Product, books: Books) -> None:
    for query, field in (
        ("pageSize=0", "pageSize"),
        ("pageSize=101", "pageSize"),
        ("pageSize=x", "pageSize"),
        ("source=secrets", "source"),
        ("cursor=x", "cursor"),
        ("cursor=WyIyMDI2Il0", "cursor"),
        ("cursor=" + "A" * 301, "cursor"),
        ("operationKey=%C3%A9", "operationKey"),
        ("providerEventId=" + "x" * 256, "providerEventId"),
    ):
        answer = await product.get(f"/api/billing/timeline?{query}", "ann")
        assert answer.status_code == 400, query
        assert list(answer.json()["error"]["field_errors"]) == [field]


@pytest.mark.requirement("CHK-12")
async def test_a_caller_can_wait_until_the_purchase_is_projected(
    product: Product, books: Books
) -> None:
    row_id = await store_operation(
        books.database.engine,
        books.entity_id,
        operation_key=KEY,
        status="succeeded",
        response_status=200,
        response_body=b'{"operationKey":"d"}',
    )
    session_id = await books.add(
        billing_checkout_sessions,
        billable_entity_id=books.entity_id,
        flow="subscription",
        provider_checkout_session_id="cs_1",
        idempotency_row_id=row_id,
        operation_key=KEY,
        status="open",
        checkout_url="https://pay.example/1",
        expires_at=T0,
    )
    path = f"/api/billing/operations/{KEY}"
    finished = (await product.get(path + "?wait=30", "ann")).json()
    assert finished["status"] == "succeeded"  # at once: finished is what was waited for
    assert finished["isProjected"] is False
    assert finished["checkoutSession"]["checkoutUrl"] == "https://pay.example/1"
    waited = (await product.get(path + "?wait=1&until=projected", "ann")).json()
    assert waited["isProjected"] is False

    waiting = asyncio.create_task(
        product.get(path + "?until=projected", "ann", Prefer="respond-async, wait=20")
    )
    async with books.database.engine.begin() as connection:
        await connection.execute(
            update(billing_checkout_sessions)
            .where(billing_checkout_sessions.c.id == session_id)
            .values(status="completed_reconciled", completed_at=T0)
        )
    seen = (await asyncio.wait_for(waiting, 5)).json()
    assert seen["isProjected"] is True
    assert seen["checkoutSession"] == {
        "status": "completed_reconciled",
        "checkoutUrl": None,
        "expiresAt": "2026-11-01T12:00:00.000Z",
        "completedAt": "2026-11-01T12:00:00.000Z",
    }
    for query in ("wait=31", "wait=-1", "until=paid"):
        assert (await product.get(f"{path}?{query}", "ann")).status_code == 400
