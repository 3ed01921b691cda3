"""The portal: for who has a subscription, opened once per key, recovered like any write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.integration.checkout.desk import Desk, code_of, operations, sessions

from billing_common.contracts.commands import OpenPortal
from billing_common.contracts.replies import Reply
from checkout.decisions.return_urls import ReturnPathInvalid

pytestmark = pytest.mark.connected

CREATE = "billing_portal.sessions.create"
PRICE_STEPS = ("cancel", "update")


async def subscribe(desk: Desk) -> str:
    """Buy, as a customer would; then the row that projection would write. Stripe's id of it."""
    await desk.checkout("buy")
    (session,) = desk.stripe_sessions()
    subscription_id: str = desk.pay(session["id"])["subscription"]
    row = await desk.operation("buy")
    await desk.set(sessions, (await desk.row(sessions)).id, status="completed_reconciled")
    await desk.add_subscription(
        provider_subscription_id=subscription_id, operation_key=row.operation_key
    )
    return subscription_id


async def open_portal(desk: Desk, client_key: str, **facts: Any) -> Reply:
    return await desk.handle(
        desk.write(client_key, "portal", OpenPortal, **{"return_path": "/billing", **facts})
    )


def portal_sessions(desk: Desk) -> list[dict[str, Any]]:
    return desk.double.call(lambda control: control.objects("billing_portal.session"))


@pytest.mark.requirement("CHK-09")
async def test_the_portal_opens_for_the_customer_and_is_replayed(desk: Desk) -> None:
    await subscribe(desk)

    reply = await open_portal(desk, "visit-1")
    again = await open_portal(desk, "visit-1")

    (at_stripe,) = portal_sessions(desk)
    (customer,) = desk.stripe_customers()
    assert at_stripe["customer"] == customer["id"]
    assert at_stripe["return_url"] == "https://app.example.com/billing"
    row = await desk.operation("visit-1")
    assert json.loads(reply.body) == {
        "billableEntityId": str(desk.entity_id),
        "operationKey": row.operation_key,
        "portalSession": {"url": at_stripe["url"]},
    }
    assert (row.action, row.status, row.provider_session_id) == (
        "portal",
        "succeeded",
        at_stripe["id"],
    )
    assert (again.body, again.is_replay) == (reply.body, True)
    assert len(portal_sessions(desk)) == 1


@pytest.mark.requirement("CHK-09")
@pytest.mark.parametrize(
    ("step", "flow"),
    [
        ("cancel", "subscription_cancel"),
        ("update", "subscription_update"),
        ("payment_method", "payment_method_update"),
    ],
)
async def test_a_deep_link_leads_to_its_step_and_back(desk: Desk, step: str, flow: str) -> None:
    subscription_id = await subscribe(desk)

    reply = await open_portal(desk, "visit-1", step=step)

    assert reply.http_status == 200
    (at_stripe,) = portal_sessions(desk)
    assert at_stripe["flow"]["type"] == flow
    back = at_stripe["flow"]["after_completion"]["redirect"]["return_url"]
    assert back == "https://app.example.com/billing"
    if step in PRICE_STEPS:
        assert at_stripe["flow"][flow]["subscription"] == subscription_id


@pytest.mark.requirement("CHK-09")
@pytest.mark.parametrize("status", [None, "canceled", "incomplete_expired"])
async def test_without_a_subscription_there_is_nothing_to_manage(
    desk: Desk, status: str | None
) -> None:
    if status is not None:
        await desk.checkout("buy")
        await desk.add_subscription(status=status)

    refused = await open_portal(desk, "visit-1")

    assert (refused.http_status, code_of(refused)) == (409, "portal_subscription_required")
    assert portal_sessions(desk) == []
    row = await desk.operation("visit-1")
    assert (row.status, row.failure_code) == ("failed", "portal_subscription_required")
    assert len(desk.stripe_customers()) == (0 if status is None else 1), "a visit creates none"
    again = await open_portal(desk, "visit-1")
    assert (again.body, again.is_replay) == (refused.body, True)


@pytest.mark.requirement("CHK-09")
@pytest.mark.requirement("IDEM-11")
@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "truncate", "error_before"])
async def test_a_visit_whose_answer_was_lost_is_recovered(desk: Desk, fault: str) -> None:
    await subscribe(desk)
    desk.fault(fault, CREATE)
    first = await open_portal(desk, "visit-1")
    assert code_of(first) == "request_in_progress"
    row = await desk.end_lease("visit-1")

    recovered = await desk.handle(desk.recover(row))

    assert recovered.http_status == 200
    (at_stripe,) = portal_sessions(desk)
    assert json.loads(recovered.body)["portalSession"]["url"] == at_stripe["url"]
    assert (await open_portal(desk, "visit-1")).body == recovered.body


@pytest.mark.requirement("CHK-09")
async def test_a_portal_that_is_not_set_up_says_whose_fault_it_is(desk: Desk) -> None:
    await subscribe(desk)
    desk.double.call(lambda control: control.save_portal_default(saved=False))

    refused = await open_portal(desk, "visit-1")

    assert (refused.http_status, code_of(refused)) == (502, "checkout_provider_error")
    desk.double.call(lambda control: control.save_portal_default(saved=True))
    assert (await open_portal(desk, "visit-2")).http_status == 200


@pytest.mark.requirement("CHK-09")
async def test_visits_block_nothing_and_are_blocked_by_nothing(desk: Desk) -> None:
    await subscribe(desk)
    await desk.add_session(status="open", operation_key="o" * 64)

    for number in range(3):
        assert (await open_portal(desk, f"visit-{number}")).http_status == 200

    assert len(await desk.rows(operations, action="portal", status="succeeded")) == 3


@pytest.mark.requirement("CHK-11")
async def test_a_return_path_that_leaves_our_site_is_a_damaged_command(desk: Desk) -> None:
    await subscribe(desk)
    with pytest.raises(ReturnPathInvalid):
        await open_portal(desk, "visit-1", return_path="//evil.example")
    assert await desk.rows(operations, action="portal") == []
