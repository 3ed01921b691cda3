"""Rules that hold on every path: one lock order, no call inside a transaction, own grants."""

from __future__ import annotations

import pytest
from tests.integration.checkout.desk import CREATE_SESSION, Desk, operations, sessions
from tests.integration.checkout.lock_order import (
    inversions,
    recorded_lock_orders,
    recorded_writes,
)
from tests.integration.storage.grants import engines_by_service

from billing_common.observability.transaction_guard import NetworkCallInsideTransaction
from billing_common.storage.transaction import Database, WriteConnection

pytestmark = pytest.mark.connected


@pytest.mark.requirement("CHK-01")
async def test_a_provider_call_inside_a_transaction_raises_and_is_not_sent(desk: Desk) -> None:
    async def careless(_connection: WriteConnection) -> None:
        await desk.context.provider.create_checkout_session("{}", idempotency_key="k")

    with pytest.raises(NetworkCallInsideTransaction):
        await desk.context.database.write(careless, name="careless")

    assert desk.requests(CREATE_SESSION) == []


@pytest.mark.requirement("IDEM-15")
async def test_the_operation_is_marked_last(desk: Desk) -> None:
    with recorded_writes(desk.test_database.engine) as writes:
        await desk.checkout("click-1")

    assert writes[-2:] == [
        ("INSERT INTO", "billing_checkout_sessions"),
        ("UPDATE", "billing_request_idempotency"),
    ]


async def every_path(desk: Desk) -> None:
    """Bind, replay, block, unknown, recover, orphan, reject, end behind a hold."""
    await desk.checkout("bound")
    await desk.checkout("bound")
    await desk.checkout("blocked")
    await desk.set(sessions, (await desk.row(sessions)).id, status="abandoned")
    desk.fault("drop_after")
    await desk.checkout("recovered")
    await desk.add_subscription(operation_key="e" * 64)
    orphaned = await desk.handle(desk.recover(await desk.end_lease("recovered")))
    assert orphaned.http_status == 409
    await desk.checkout("refused")
    other_entity_id = await desk.add_entity()
    desk.fault("drop_before")
    await desk.checkout("ended", entity_id=other_entity_id)
    row = await desk.end_lease("ended")
    await desk.set(operations, row.id, provider_sdk_version="1.0.0")
    desk.entity_id = other_entity_id
    ended = await desk.handle(desk.recover(row))
    assert ended.http_status == 409


@pytest.mark.requirement("CHK-02")
async def test_every_transaction_locks_in_the_one_order(each_desk: Desk) -> None:
    desk = each_desk
    with recorded_lock_orders(desk.test_database.engine) as transactions:
        await every_path(desk)

    longest = max(transactions, key=len)
    assert len(longest) == 5, "entity, subscriptions, operation, session, outbox job"
    assert inversions(transactions) == []


@pytest.mark.requirement("DATA-07")
async def test_the_services_own_database_user_is_enough(each_desk: Desk) -> None:
    desk = each_desk
    async with engines_by_service(desk.test_database) as engines:
        desk.context = desk.worker("granted", database=Database(engines["checkout"]))
        await every_path(desk)
