"""Every answer of Stripe, before and after execution, of every call of a checkout."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from tests.cells.cells import CREATE, CUSTOMER, EXPIRE, READ, WAIT, Cell
from tests.fixtures.databases import Database
from tests.integration.checkout.desk import (
    CREATE_CUSTOMER,
    CREATE_SESSION,
    Desk,
    make_desk,
    operations,
    sessions,
)

from billing_common.contracts.replies import Reply
from stripe_double.testing import RunningDouble

pytestmark = pytest.mark.connected

RETRIEVE, LIST, EXPIRE_CALL = (
    "checkout.sessions.retrieve",
    "checkout.sessions.list",
    "checkout.sessions.expire",
)
HASTE_SECONDS = 1.0
RECOVERIES_MAX = 4
Walk = Callable[[Desk, Cell], Awaitable[None]]
_numbers = count(1)


@pytest.fixture
async def desk(database: Database, stripe_double: RunningDouble) -> AsyncIterator[Desk]:
    """A worker that gives up on Stripe after a second."""
    made = await make_desk(database, stripe_double)
    hasty = made.provider(timeout_seconds=HASTE_SECONDS)
    made.context = replace(made.context, provider=hasty, provider_timeout_seconds=HASTE_SECONDS)
    yield made
    await made.close()


async def walk(desk: Desk, cells: tuple[Cell, ...], step: Walk) -> None:
    """Each cell on an entity of its own; all that is wrong, at once."""
    wrong = []
    for cell in cells:
        own = replace(desk, entity_id=await desk.add_entity())
        try:
            await step(own, cell)
        except AssertionError as error:
            wrong.append(f"{cell.name}: {error}")
        finally:
            own.double.call(lambda control: control.clear_faults())
    assert not wrong, "\n".join(wrong)


def said(reply: Reply) -> tuple[int, str | None]:
    body = json.loads(reply.body)
    return reply.http_status, body["error"]["code"] if "error" in body else None


def at_stripe(desk: Desk) -> list[dict[str, Any]]:
    mine = str(desk.entity_id)
    return [
        found
        for found in desk.stripe_sessions()
        if found["metadata"].get("billable_entity_id") == mine
    ]


async def recovered(desk: Desk, client_key: str) -> Any:
    """The operation's row after as many recoveries as it takes."""
    for _ in range(RECOVERIES_MAX):
        row = await desk.operation(client_key)
        if row.status != "pending":
            return row
        await desk.handle(desk.recover(await desk.end_lease(client_key)))
    return await desk.operation(client_key)


async def check_end(desk: Desk, client_key: str, cell: Cell) -> None:
    """Stored state, the ledger of the double, and one answer for ever."""
    row = await recovered(desk, client_key)
    assert row.status == cell.ends, row.status
    open_ones = [found for found in at_stripe(desk) if found["status"] == "open"]
    jobs = {
        job.payload_json["provider_checkout_session_id"]
        for job in await desk.jobs()
        if job.billable_entity_id == desk.entity_id
    }
    payable = [found["id"] for found in open_ones if found["id"] not in jobs]
    assert len(payable) == cell.payable, f"{len(payable)} sessions can be paid"
    stored = await desk.rows(sessions, idempotency_row_id=row.id)
    bound = [one.provider_checkout_session_id for one in stored]
    assert bound == payable, "what can be paid is what is bound"
    assert row.provider_session_id == (payable[0] if payable else None)
    replies = [await desk.checkout(client_key) for _ in range(2)]
    assert {(one.http_status, one.body, one.is_replay) for one in replies} == {
        (row.response_status, row.response_body.decode(), True)
    }


@pytest.mark.requirement("IDEM-14")
@pytest.mark.requirement("IDEM-16")
async def test_creating_the_session(desk: Desk) -> None:
    async def step(desk: Desk, cell: Cell) -> None:
        key = f"cell-{next(_numbers)}"
        desk.fault(cell.kind, CREATE_SESSION, **cell.details)
        first = said(await desk.checkout(key))
        # A stored 500 that names itself as such is settled in the same go.
        is_settled_at_once = cell.kind.startswith("error_") and first == (200, None)
        assert first == cell.says or is_settled_at_once, first
        if first == WAIT:
            assert (await desk.operation(key)).response_body is None
            assert len(at_stripe(desk)) == int(cell.is_executed)
        await check_end(desk, key, cell)

    await walk(desk, CREATE, step)


@pytest.mark.requirement("IDEM-17")
async def test_retrieving_what_was_repeated(desk: Desk) -> None:
    async def step(desk: Desk, cell: Cell) -> None:
        key = f"cell-{next(_numbers)}"
        desk.fault("drop_after", CREATE_SESSION)
        await desk.checkout(key)
        desk.fault(cell.kind, RETRIEVE, **cell.details)
        recovery = await desk.handle(desk.recover(await desk.end_lease(key)))
        assert said(recovery) == cell.says, said(recovery)
        assert len(at_stripe(desk)) == 1
        await check_end(desk, key, cell)

    await walk(desk, READ, step)


@pytest.mark.requirement("IDEM-16")
async def test_listing_after_a_stored_error(desk: Desk) -> None:
    async def step(desk: Desk, cell: Cell) -> None:
        key = f"cell-{next(_numbers)}"
        desk.fault("error_after", CREATE_SESSION)
        desk.fault(cell.kind, LIST, times=2, **cell.details)
        await desk.checkout(key)
        recovery = await desk.handle(desk.recover(await desk.end_lease(key)))
        assert said(recovery) == cell.says, said(recovery)
        assert len(at_stripe(desk)) == 1, "failing to look is not seeing nothing"
        await check_end(desk, key, cell)

    await walk(desk, READ, step)


@pytest.mark.requirement("CHK-03")
async def test_expiring_a_lapsed_session_before_the_next_checkout(desk: Desk) -> None:
    async def step(desk: Desk, cell: Cell) -> None:
        before, key = f"before-{next(_numbers)}", f"cell-{next(_numbers)}"
        assert (await desk.checkout(before)).http_status == 200
        row = await desk.row(sessions, idempotency_row_id=(await desk.operation(before)).id)
        await desk.set(sessions, row.id, expires_at=datetime.now(UTC) - timedelta(minutes=5))
        desk.fault(cell.kind, EXPIRE_CALL, **cell.details)
        reply = await desk.checkout(key)
        assert said(reply) == cell.says, said(reply)
        if reply.http_status != 200:
            (only,) = at_stripe(desk)
            assert (only["status"] == "expired") == cell.is_executed
            assert await desk.rows(operations, client_idempotency_key=key) == []
            if cell.kind == "error_saved":
                return  # repeated for a day: the entity stays blocked until Stripe expires it
            assert (await desk.checkout(key)).http_status == 200
        await check_end(desk, key, cell)

    await walk(desk, EXPIRE, step)


@pytest.mark.requirement("CHK-07")
async def test_creating_the_customer(desk: Desk) -> None:
    async def step(desk: Desk, cell: Cell) -> None:
        key = f"cell-{next(_numbers)}"
        desk.fault(cell.kind, CREATE_CUSTOMER, **cell.details)
        reply = await desk.checkout(key)
        assert said(reply) == cell.says, said(reply)
        if reply.http_status != 200:
            assert await desk.rows(operations, client_idempotency_key=key) == []
            assert (await desk.checkout(key)).http_status == 200, "the key is not burned"
        await check_end(desk, key, cell)
        mine = {"billable_entity_id": str(desk.entity_id)}
        made = [one for one in desk.stripe_customers() if one["metadata"] == mine]
        assert len(made) == 1, f"{len(made)} customers"

    await walk(desk, CUSTOMER, step)
