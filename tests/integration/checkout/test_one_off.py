"""One-off checkouts: the same frame, their own rules. Any number of them, each with an invoice."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from tests.integration.checkout.desk import (
    CREATE_SESSION,
    Desk,
    code_of,
    operations,
    sessions,
    unchanged,
)

pytestmark = [pytest.mark.connected, pytest.mark.requirement("CHK-08")]


async def test_one_thing_is_sold_with_an_invoice(desk: Desk) -> None:
    reply = await desk.buy_once("click-1")

    assert reply.http_status == 200
    body = json.loads(reply.body)
    (at_stripe,) = desk.stripe_sessions()
    assert body["checkoutType"] == "one_off"
    assert body["checkoutSession"]["checkoutUrl"] == at_stripe["url"]
    assert (at_stripe["mode"], at_stripe["amount_total"]) == ("payment", 24_690)
    (customer,) = desk.stripe_customers()
    assert at_stripe["customer"] == customer["id"]
    row = await desk.row(sessions)
    assert (row.flow, row.status) == ("one_off", "open")
    names = {
        "operation_key": row.operation_key,
        "billable_entity_id": str(desk.entity_id),
        "idempotency_row_id": str(row.idempotency_row_id),
    }
    assert at_stripe["metadata"] == names

    desk.pay(at_stripe["id"])

    (charge,) = desk.double.ledger("charge", outcome="succeeded")
    assert charge["amount"] == 24_690
    (invoice,) = desk.double.call(lambda control: control.objects("invoice"))
    assert (invoice["status"], invoice["amount_paid"]) == ("paid", 24_690)
    assert invoice["metadata"] == names


async def test_it_minds_no_subscription_and_no_open_session_and_blocks_none(desk: Desk) -> None:
    first = await desk.buy_once("click-1")
    subscription = await desk.checkout("click-2")
    second = await desk.buy_once("click-3")
    assert [first.http_status, subscription.http_status, second.http_status] == [200, 200, 200]
    await desk.add_subscription()

    assert (await desk.buy_once("click-4")).http_status == 200
    assert code_of(await desk.checkout("click-5")) == "checkout_session_open"
    assert len(await desk.rows(sessions, status="open")) == 4


async def test_a_key_belongs_to_one_kind_of_checkout(desk: Desk) -> None:
    first = await desk.buy_once("click-1")

    again, other = await desk.buy_once("click-1"), await desk.checkout("click-1")

    assert (again.is_replay, again.body) == (True, first.body)
    assert code_of(other) == "idempotency_conflict"
    assert len(desk.stripe_sessions()) == 1


async def test_another_currency_is_refused_for_good(desk: Desk) -> None:
    refused = await desk.buy_once("click-1", currency="eur")

    assert code_of(refused) == "checkout_configuration_invalid"
    assert desk.requests(CREATE_SESSION) == []
    assert (await desk.buy_once("click-1", currency="eur")).is_replay


@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "error_saved", "rate_limit"])
async def test_an_unknown_outcome_is_settled_by_recovery(desk: Desk, fault: str) -> None:
    desk.fault(fault)
    assert code_of(await desk.buy_once("click-1")) == "request_in_progress"
    row = await desk.end_lease("click-1")
    assert (await desk.checkout("click-2")).http_status == 200, "nobody waits for it"

    recovered = await desk.handle(desk.recover(row))

    assert recovered.http_status == 200
    mine = await desk.row(sessions, operation_key=row.operation_key)
    assert mine.flow == "one_off"
    ours = [one for one in desk.stripe_sessions() if one["mode"] == "payment"]
    assert [one["id"] for one in ours] == [mine.provider_checkout_session_id]


@pytest.mark.requirement("IDEM-19")
async def test_past_its_deadline_it_ends_without_a_hold(desk: Desk) -> None:
    desk.fault("drop_before")
    await desk.buy_once("click-1")
    row = await desk.end_lease("click-1")
    await desk.set(operations, row.id, provider_idempotency_replay_deadline_at=datetime.now(UTC))

    ended = await desk.handle(desk.recover(row))

    assert code_of(ended) == "checkout_recovery_window_elapsed"
    assert (await desk.operation("click-1")).failure_reason
    assert await desk.rows(sessions) == []
    assert (await desk.checkout("click-2")).http_status == 200


async def test_a_paid_one_waits_for_no_subscription(desk: Desk) -> None:
    desk.fault("drop_after")
    await desk.buy_once("click-1")
    row = await desk.end_lease("click-1")
    (at_stripe,) = desk.stripe_sessions()
    desk.pay(at_stripe["id"])

    recovered = await desk.handle(desk.recover(row))

    assert json.loads(recovered.body)["checkoutSession"]["status"] == "completed_reconciled"
    before = await desk.row(sessions)
    assert before.status == "completed_reconciled"
    assert unchanged(before, await desk.row(sessions))
