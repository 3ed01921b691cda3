"""What stops a checkout: for now (nothing is stored) or for good (stored and replayed)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update
from tests.integration.checkout.desk import (
    CREATE_SESSION,
    Desk,
    code_of,
    details_of,
    operations,
    sessions,
    subscriptions,
)

from billing_common.storage.tables import billing_plan_prices

pytestmark = pytest.mark.connected


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.mark.requirement("CHK-04")
@pytest.mark.requirement("IDEM-18")
@pytest.mark.requirement("SCOPE-05")
async def test_an_open_session_blocks_and_shows_its_url(desk: Desk) -> None:
    first = await desk.checkout("click-1")
    session = await desk.row(sessions)

    blocked = await desk.checkout("click-2")

    assert (blocked.http_status, code_of(blocked)) == (409, "checkout_session_open")
    assert details_of(blocked) == {
        "operationKey": session.operation_key,
        "checkoutUrl": session.checkout_url,
        "expiresAt": details_of(blocked)["expiresAt"],
    }
    assert "cs_" not in blocked.body.replace(session.checkout_url, ""), "no provider id leaves"
    assert await desk.rows(operations, client_idempotency_key="click-2") == []
    await desk.set(sessions, session.id, status="expired")
    assert (await desk.checkout("click-2")).http_status == 200, "the same key, once it is free"
    assert (await desk.checkout("click-1")).body == first.body


@pytest.mark.requirement("CHK-03")
@pytest.mark.requirement("IDEM-18")
@pytest.mark.parametrize(
    ("status", "expires_in_seconds", "code"),
    [
        ("completed_pending_subscription", 3600, "checkout_completion_pending"),
        ("completed_pending_subscription", -3600, "checkout_completion_pending"),
        ("recovery_verification_pending", 3600, "checkout_recovery_verification_pending"),
        # An open one that is past its time blocks for the grace of 90 s; its URL is not shown.
        ("open", -30, "checkout_session_open"),
    ],
)
async def test_a_block_does_not_burn_the_key(
    desk: Desk, status: str, expires_in_seconds: float, code: str
) -> None:
    await desk.add_session(
        status=status,
        operation_key="a" * 64,
        expires_at=in_seconds(expires_in_seconds),
        provider_checkout_session_id="cs_other",
        checkout_url="https://pay.example.com/other" if status == "open" else None,
    )

    blocked = await desk.checkout("click-1")

    assert (blocked.http_status, code_of(blocked)) == (409, code)
    assert "checkoutUrl" not in details_of(blocked)
    assert await desk.rows(operations) == []
    session = await desk.row(sessions)
    await desk.set(sessions, session.id, status="abandoned")
    assert (await desk.checkout("click-1")).http_status == 200


@pytest.mark.requirement("CHK-03")
@pytest.mark.parametrize(
    ("status", "expires_in_seconds", "ends_as"),
    [("open", -91, "expired"), ("recovery_verification_pending", -1, "abandoned")],
)
async def test_what_has_lapsed_is_ended_and_blocks_no_more(
    desk: Desk, status: str, expires_in_seconds: float, ends_as: str
) -> None:
    await desk.add_session(
        status=status, operation_key="a" * 64, expires_at=in_seconds(expires_in_seconds)
    )

    assert (await desk.checkout("click-1")).http_status == 200

    lapsed = await desk.row(sessions, operation_key="a" * 64)
    assert lapsed.status == ends_as
    assert lapsed.row_version == 2


@pytest.mark.requirement("CHK-03")
async def test_the_clean_up_stays_when_the_checkout_is_refused(desk: Desk) -> None:
    await desk.add_session(status="open", operation_key="a" * 64, expires_at=in_seconds(-91))

    refused = await desk.checkout("click-1", plan_code="no-such-plan")

    assert refused.http_status == 404
    assert (await desk.row(sessions)).status == "expired"


async def test_a_one_off_session_blocks_nobody(desk: Desk) -> None:
    await desk.add_session(
        status="open", operation_key="a" * 64, flow="one_off", expires_at=in_seconds(3600)
    )

    assert (await desk.checkout("click-1")).http_status == 200


@pytest.mark.requirement("SCOPE-03")
@pytest.mark.parametrize("status", ["active", "past_due", "incomplete", "unpaid", "paused"])
async def test_a_current_subscription_refuses_for_good(desk: Desk, status: str) -> None:
    await desk.checkout("before")
    session = await desk.row(sessions)
    await desk.set(sessions, session.id, status="completed_reconciled")
    await desk.add_subscription(status=status)
    sent = len(desk.requests(CREATE_SESSION))

    refused = await desk.checkout("click-1")

    assert (refused.http_status, code_of(refused)) == (409, "subscription_exists_use_portal")
    stored = await desk.operation("click-1")
    assert (stored.status, stored.failure_code) == ("failed", "subscription_exists_use_portal")
    await desk.set(subscriptions, (await desk.row(subscriptions)).id, status="canceled",
                   is_current=False)  # fmt: skip
    again = await desk.checkout("click-1")
    assert again.is_replay
    assert (again.http_status, again.body) == (refused.http_status, refused.body)
    assert len(desk.requests(CREATE_SESSION)) == sent
    assert (await desk.checkout("click-2")).http_status == 200, "it has ended: a new key may buy"


@pytest.mark.requirement("SCOPE-08")
@pytest.mark.requirement("SCOPE-11")
@pytest.mark.requirement("IDEM-03")
@pytest.mark.parametrize(
    ("spoil", "plan_code", "http_status", "code"),
    [
        (None, "no-such-plan", 404, "checkout_plan_not_found"),
        (None, "PRO", 404, "checkout_plan_not_found"),
        ({"currency": "eur"}, "pro", 409, "checkout_configuration_invalid"),
        ({"is_active": False}, "pro", 409, "checkout_configuration_invalid"),
        ({"usage_type": "metered"}, "pro", 409, "checkout_configuration_invalid"),
    ],
)
async def test_what_is_not_on_sale_fails_closed_and_is_replayed(
    desk: Desk, spoil: dict[str, Any] | None, plan_code: str, http_status: int, code: str
) -> None:
    if spoil:
        async with desk.test_database.engine.begin() as connection:
            await connection.execute(update(billing_plan_prices).values(**spoil))

    refused = await desk.checkout("click-1", plan_code=plan_code)

    assert (refused.http_status, code_of(refused)) == (http_status, code)
    stored = await desk.operation("click-1")
    assert (stored.status, stored.failure_code) == ("failed", code)
    assert stored.response_body == refused.body.encode()
    again = await desk.checkout("click-1", plan_code=plan_code)
    assert (again.is_replay, again.body) == (True, refused.body)
    assert desk.requests(CREATE_SESSION) == []


async def test_a_plan_without_any_price_is_a_configuration_error(desk: Desk) -> None:
    async with desk.test_database.engine.begin() as connection:
        await connection.execute(delete(billing_plan_prices))

    assert code_of(await desk.checkout("click-1")) == "checkout_configuration_invalid"


@pytest.mark.requirement("CHK-13")
async def test_a_late_command_is_answered_not_executed(desk: Desk) -> None:
    late = await desk.checkout("click-1", deadline_at=in_seconds(-0.001))

    assert (late.http_status, code_of(late)) == (503, "command_deadline_elapsed")
    assert late.retry_after_seconds
    assert await desk.rows(operations) == []
    assert desk.stripe_customers() == []
    assert (await desk.checkout("click-1")).http_status == 200, "the same key may be sent again"


@pytest.mark.requirement("CHK-13")
async def test_a_command_that_grew_late_over_its_customer_claims_nothing(desk: Desk) -> None:
    desk.fault("delay_after", "customers.create", delay_ms=400)

    late = await desk.checkout("click-1", deadline_at=in_seconds(0.2))

    assert code_of(late) == "command_deadline_elapsed"
    assert await desk.rows(operations) == []
    assert (await desk.checkout("click-1")).http_status == 200
    assert len(desk.stripe_customers()) == 1


async def test_customer_calls_stop_at_the_deadline(desk: Desk) -> None:
    desk.fault("drop_before", "customers.create", times=50)

    reply = await desk.checkout("click-1", deadline_at=in_seconds(0.3))

    assert (reply.http_status, code_of(reply)) == (503, "service_unavailable")
    assert len(desk.requests("customers.create")) < 6
