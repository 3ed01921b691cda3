"""The provider's answer is missing or doubtful: the operation stays pending until it is settled."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.integration.checkout.desk import (
    CREATE_SESSION,
    PROVIDER_KEY_SECRET,
    Desk,
    code_of,
    operations,
    sessions,
    unchanged,
)

from billing_common.domain.operation_keys import provider_idempotency_key
from billing_common.storage.mapping.operations import operation_from_row
from billing_common.stripe_api.port import Answer
from checkout.handlers.actions.checkout_sessions import CHECKOUT_SESSIONS
from checkout.handlers.commands import handle_command
from checkout.handlers.context import HeldLease
from checkout.handlers.key_series import PROVIDER_ATTEMPTS_MAX, send
from checkout.handlers.provider_steps import Unknown, request_of

pytestmark = pytest.mark.connected

# fault -> whether Stripe executed the first call
UNKNOWN = {
    "rate_limit": False,
    "conflict": False,
    "error_before": False,
    "drop_before": False,
    "drop_after": True,
    "truncate": True,
}


@pytest.mark.requirement("IDEM-11")
@pytest.mark.requirement("IDEM-14")
@pytest.mark.requirement("IDEM-17")
@pytest.mark.parametrize("fault", UNKNOWN)
async def test_an_unknown_outcome_is_settled_by_recovery(desk: Desk, fault: str) -> None:
    desk.fault(fault)

    first = await desk.checkout("click-1")

    assert (first.http_status, code_of(first)) == (409, "request_in_progress")
    assert first.retry_after_seconds
    pending = await desk.operation("click-1")
    assert (pending.status, pending.response_body) == ("pending", None)
    assert len(desk.stripe_sessions()) == int(UNKNOWN[fault])
    row = await desk.end_lease("click-1")

    recovered = await desk.handle(desk.recover(row))

    assert recovered.http_status == 200
    (at_stripe,) = desk.stripe_sessions()
    assert json.loads(recovered.body)["checkoutSession"]["checkoutUrl"] == at_stripe["url"]
    assert (await desk.row(sessions)).provider_checkout_session_id == at_stripe["id"]
    sent = desk.requests(CREATE_SESSION)
    keys = {request["idempotency_key"] for request in sent} - {None}  # a 429 reads no key
    assert keys == {row.provider_idempotency_key}
    assert len({json.dumps(request["params"], sort_keys=True) for request in sent}) == 1
    again = await desk.checkout("click-1")
    assert (again.is_replay, again.body) == (True, recovered.body)
    done = await desk.operation("click-1")
    assert (done.lease_version, done.recovery_attempt_count) == (2, 1)


@pytest.mark.requirement("IDEM-14")
async def test_a_timeout_after_execution_makes_no_second_session(desk: Desk) -> None:
    desk.fault("delay_after", delay_ms=1500)
    hasty = desk.worker("hasty", provider=desk.provider(timeout_seconds=0.3))

    reply = await handle_command(hasty, desk.start("click-1"))

    assert code_of(reply) == "request_in_progress"
    row = await desk.end_lease("click-1")
    async with asyncio.timeout(20):
        while (await desk.handle(desk.recover(row))).http_status != 200:
            row = await desk.end_lease("click-1")  # the first call still holds the key: 409
    assert len(desk.stripe_sessions()) == 1


@pytest.mark.requirement("IDEM-11")
async def test_a_clients_retry_recovers_as_well(desk: Desk) -> None:
    desk.fault("drop_after")
    await desk.checkout("click-1")
    await desk.end_lease("click-1")

    recovered = await desk.checkout("click-1")

    assert recovered.http_status == 200
    assert not recovered.is_replay
    assert len(desk.stripe_sessions()) == 1


@pytest.mark.requirement("IDEM-10")
async def test_a_live_lease_is_not_taken_over(desk: Desk) -> None:
    desk.fault("rate_limit")
    await desk.checkout("click-1")
    before = await desk.operation("click-1")

    reply = await desk.handle(desk.recover(before))

    assert code_of(reply) == "request_in_progress"
    assert unchanged(before, await desk.operation("click-1"))


@pytest.mark.requirement("IDEM-16")
async def test_a_stored_server_error_is_settled_by_listing(desk: Desk) -> None:
    """Executed, answered 500, and the 500 is repeated for a day."""
    desk.fault("error_after")
    assert code_of(await desk.checkout("click-1")) == "request_in_progress"
    row = await desk.end_lease("click-1")

    recovered = await desk.handle(desk.recover(row))

    assert recovered.http_status == 200
    (at_stripe,) = desk.stripe_sessions()
    assert (await desk.row(sessions)).provider_checkout_session_id == at_stripe["id"]
    assert desk.requests("checkout.sessions.list")
    assert not any("search" in request["path"] for request in desk.double.ledger("request"))


@pytest.mark.requirement("IDEM-16")
async def test_listing_ignores_the_sessions_of_other_operations(desk: Desk) -> None:
    await desk.checkout("before")
    await desk.set(sessions, (await desk.row(sessions)).id, status="abandoned")
    desk.fault("error_after")
    await desk.checkout("click-1")
    row = await desk.end_lease("click-1")

    await desk.handle(desk.recover(row))

    session = await desk.row(sessions, operation_key=row.operation_key)
    (mine,) = [
        found
        for found in desk.stripe_sessions()
        if found["metadata"]["operation_key"] == row.operation_key
    ]
    assert session.provider_checkout_session_id == mine["id"]


@pytest.mark.requirement("IDEM-16")
@pytest.mark.requirement("IDEM-06")
async def test_a_stored_error_without_a_session_is_settled_by_the_next_key(desk: Desk) -> None:
    """Not executed, answered 500, and the 500 is repeated for a day."""
    desk.fault("error_saved")
    assert code_of(await desk.checkout("click-1")) == "request_in_progress"
    first = await desk.end_lease("click-1")

    recovered = await desk.handle(desk.recover(first))

    assert recovered.http_status == 200
    row = await desk.operation("click-1")
    assert (first.provider_attempt, row.provider_attempt) == (1, 2)
    assert row.provider_idempotency_key == provider_idempotency_key(
        PROVIDER_KEY_SECRET,
        provider="stripe",
        action="checkout",
        operation_key=row.operation_key,
        attempt=2,
    )
    keys = [request["idempotency_key"] for request in desk.requests(CREATE_SESSION)]
    assert keys == [first.provider_idempotency_key] * 2 + [row.provider_idempotency_key]
    sent = {
        json.dumps(request["params"], sort_keys=True) for request in desk.requests(CREATE_SESSION)
    }
    assert len(sent) == 1, "another key, the same frozen request"
    (at_stripe,) = desk.stripe_sessions()
    assert (await desk.row(sessions)).provider_checkout_session_id == at_stripe["id"]


@pytest.mark.requirement("IDEM-16")
async def test_a_late_session_of_an_earlier_key_is_expired(desk: Desk) -> None:
    """The first key's call is thought to have made nothing, and had made a session after all."""
    desk.fault("error_saved")
    await desk.checkout("click-1")
    row = await desk.end_lease("click-1")
    late = desk.worker("late", provider=desk.provider())
    made = await late.provider.create_checkout_session(
        row.provider_request_params, idempotency_key="the first call, arriving late"
    )
    assert isinstance(made, Answer)
    await desk.set(operations, row.id, provider_attempt=2, provider_idempotency_key="k2" * 32)

    recovered = await desk.handle(desk.recover(row))

    assert recovered.http_status == 200
    bound = (await desk.row(sessions)).provider_checkout_session_id
    assert bound != made.value.id
    (job,) = await desk.jobs()
    assert job.payload_json["provider_checkout_session_id"] == made.value.id


@pytest.mark.requirement("IDEM-16")
@pytest.mark.requirement("IDEM-19")
async def test_the_series_of_keys_is_bounded(desk: Desk) -> None:
    desk.fault("error_saved", times=9)
    await desk.checkout("click-1")
    for _ in range(3):
        row = await desk.end_lease("click-1")
        reply = await desk.handle(desk.recover(row))

    assert code_of(reply) == "request_in_progress"
    row = await desk.operation("click-1")
    assert (row.status, row.provider_attempt) == ("pending", PROVIDER_ATTEMPTS_MAX)
    keys = {request["idempotency_key"] for request in desk.requests(CREATE_SESSION)}
    assert len(keys) == PROVIDER_ATTEMPTS_MAX
    assert desk.stripe_sessions() == []


@pytest.mark.requirement("IDEM-10")
async def test_a_late_worker_does_not_move_the_series(desk: Desk) -> None:
    desk.fault("error_saved")
    await desk.checkout("click-1")
    row = await desk.end_lease("click-1")
    request = request_of(operation_from_row(row), operation_from_row(row).frozen)  # type: ignore[arg-type]
    desk.fault("rate_limit")
    await desk.handle(desk.recover(row))
    before = await desk.operation("click-1")

    stale = HeldLease(row.lease_version, desk.context.monotonic() + 60)
    outcome = await send(desk.context, CHECKOUT_SESSIONS, request, stale, is_first_call=False)

    assert isinstance(outcome, Unknown)
    assert unchanged(before, await desk.operation("click-1"))


@pytest.mark.requirement("IDEM-14")
@pytest.mark.requirement("IDEM-03")
async def test_a_definite_rejection_is_stored_and_replayed(desk: Desk) -> None:
    await desk.checkout("before")  # makes the customer
    await desk.set(sessions, (await desk.row(sessions)).id, status="abandoned")
    strangers = desk.worker("stranger", provider=desk.provider(secret_key="sk_test_not_accepted"))

    refused = await handle_command(strangers, desk.start("click-1"))

    assert (refused.http_status, code_of(refused)) == (502, "checkout_provider_error")
    stored = await desk.operation("click-1")
    assert (stored.status, stored.failure_code) == ("failed", "checkout_provider_error")
    assert "401" in stored.failure_reason
    assert "sk_test" not in stored.failure_reason
    again = await desk.checkout("click-1")
    assert (again.is_replay, again.body) == (True, refused.body)


async def test_a_refusal_at_the_door_says_nothing_about_the_first_call(desk: Desk) -> None:
    """The first call went through; the key was revoked before the second."""
    desk.fault("drop_after")
    await desk.checkout("click-1")
    row = await desk.end_lease("click-1")
    strangers = desk.worker("stranger", provider=desk.provider(secret_key="sk_test_not_accepted"))

    reply = await handle_command(strangers, desk.recover(row))

    assert code_of(reply) == "request_in_progress"
    assert (await desk.operation("click-1")).status == "pending"
    await desk.end_lease("click-1")
    assert (await desk.handle(desk.recover(row))).http_status == 200


@pytest.mark.requirement("IDEM-17")
async def test_a_repeated_answer_is_not_trusted(desk: Desk) -> None:
    """Stripe repeats "open" from memory although the session has been paid meanwhile."""
    desk.fault("drop_after")
    await desk.checkout("click-1")
    row = await desk.end_lease("click-1")
    (at_stripe,) = desk.stripe_sessions()
    desk.pay(at_stripe["id"])

    recovered = await desk.handle(desk.recover(row))

    assert recovered.http_status == 200
    assert json.loads(recovered.body)["checkoutSession"] == {
        "status": "completed_pending_subscription",
        "checkoutUrl": None,
        "expiresAt": json.loads(recovered.body)["checkoutSession"]["expiresAt"],
    }
    assert (await desk.row(sessions)).status == "completed_pending_subscription"


async def test_a_session_that_expired_meanwhile_ends_the_operation(desk: Desk) -> None:
    desk.fault("drop_after")
    await desk.checkout("click-1")
    row = await desk.end_lease("click-1")
    (at_stripe,) = desk.stripe_sessions()
    desk.double.call(lambda control: control.abandon(at_stripe["id"]))

    reply = await desk.handle(desk.recover(row))

    assert code_of(reply) == "checkout_recovery_window_elapsed"
    assert (await desk.operation("click-1")).status == "expired"
    assert (await desk.row(sessions)).status == "expired"
    assert (await desk.checkout("click-2")).http_status == 200


async def test_no_call_is_begun_that_could_outlive_the_lease(desk: Desk) -> None:
    desk.context = desk.worker("slow", lease_seconds=5.5)

    reply = await desk.checkout("click-1")

    assert code_of(reply) == "request_in_progress"
    assert desk.requests(CREATE_SESSION) == []
    assert len(await desk.rows(operations)) == 1
