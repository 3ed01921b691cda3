"""Many clicks at once: one customer, one session, and everybody else hears why not."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.checkout.desk import (
    CREATE_CUSTOMER,
    CREATE_SESSION,
    Desk,
    code_of,
    details_of,
    operations,
    sessions,
)

from billing_common.storage.engine import make_engine
from billing_common.storage.tables import billing_customers
from billing_common.storage.transaction import Database
from checkout.handlers.commands import handle_command
from checkout.handlers.customer import ensure_customer

pytestmark = pytest.mark.connected


@pytest.mark.requirement("SCOPE-04")
@pytest.mark.requirement("SCOPE-05")
@pytest.mark.requirement("IDEM-05")
async def test_two_hundred_clicks_make_one_session(each_desk: Desk) -> None:
    desk = each_desk
    engine = make_engine(desk.test_database.url, pool_size=32, pool_overflow=0)
    workers = [desk.worker(f"worker-{number}", database=Database(engine)) for number in range(4)]
    later = datetime.now(UTC) + timedelta(minutes=2)
    try:
        replies = await asyncio.gather(
            *(
                handle_command(
                    workers[number % 4], desk.start(f"click-{number}", deadline_at=later)
                )
                for number in range(200)
            )
        )
    finally:
        await engine.dispose()

    statuses = Counter(reply.http_status for reply in replies)
    assert statuses == {200: 1, 409: 199}
    refused = Counter(code_of(reply) for reply in replies if reply.http_status == 409)
    assert set(refused) <= {"checkout_in_progress", "checkout_session_open"}
    assert len(desk.stripe_sessions()) == 1
    assert len(desk.requests(CREATE_SESSION)) == 1
    assert len(desk.stripe_customers()) == 1
    assert len(await desk.rows(sessions)) == 1
    assert len(await desk.rows(operations)) == 1, "a transient block stores nothing"


@pytest.mark.requirement("CHK-07")
@pytest.mark.requirement("SCOPE-06")
async def test_a_customer_is_created_once_per_entity(desk: Desk) -> None:
    workers = [desk.worker(f"worker-{n}", provider=desk.provider()) for n in range(3)]

    found = await asyncio.gather(
        *(
            ensure_customer(
                workers[n % 3],
                billable_entity_id=desk.entity_id,
                until=datetime.now(UTC) + timedelta(seconds=25),
            )
            for n in range(30)
        )
    )

    (customer,) = desk.stripe_customers()
    assert set(found) == {customer["id"]}
    assert customer["metadata"] == {"billable_entity_id": str(desk.entity_id)}
    row = await desk.row(billing_customers)
    assert row.provider_customer_id == customer["id"]


@pytest.mark.requirement("CHK-07")
@pytest.mark.parametrize("fault", ["drop_after", "truncate", "conflict", "rate_limit"])
async def test_an_unclear_customer_answer_still_makes_one(desk: Desk, fault: str) -> None:
    desk.fault(fault, CREATE_CUSTOMER)

    assert (await desk.checkout("click-1")).http_status == 200

    assert len(desk.stripe_customers()) == 1


async def test_a_stored_server_error_does_not_bar_the_customer_for_a_day(desk: Desk) -> None:
    desk.fault("error_saved", CREATE_CUSTOMER)

    assert (await desk.checkout("click-1")).http_status == 200

    assert len(desk.stripe_customers()) == 1
    keys = {request["idempotency_key"] for request in desk.requests(CREATE_CUSTOMER)}
    assert len(keys) == 2


async def test_without_a_customer_nothing_is_claimed(desk: Desk) -> None:
    strangers = desk.worker("stranger", provider=desk.provider(secret_key="sk_test_not_accepted"))

    reply = await handle_command(strangers, desk.start("click-1"))

    assert (reply.http_status, code_of(reply)) == (502, "checkout_provider_error")
    assert await desk.rows(operations) == []
    assert (await desk.checkout("click-1")).http_status == 200, "the key is not burned"


@pytest.mark.requirement("IDEM-05")
async def test_another_key_hears_which_checkout_is_in_progress(desk: Desk) -> None:
    desk.fault("rate_limit")
    first = await desk.checkout("click-1")
    assert (first.http_status, code_of(first)) == (409, "request_in_progress")
    pending = await desk.operation("click-1")

    other = await desk.checkout("click-2")

    assert (other.http_status, code_of(other)) == (409, "checkout_in_progress")
    assert details_of(other) == {"operationKey": pending.operation_key}
    assert other.retry_after_seconds
    same = await desk.checkout("click-1")
    assert (same.http_status, code_of(same)) == (409, "request_in_progress")
    assert len(await desk.rows(operations)) == 1


async def test_a_rotated_secret_changes_nothing_that_is_stored(desk: Desk) -> None:
    first = await desk.checkout("click-1")
    desk.context = replace(desk.context, provider_key_secret=b"n" * 32)

    again = await desk.checkout("click-1", operation_key="f" * 64)

    assert again.is_replay
    assert again.body == first.body
