"""Past its time is not proof: the entity is freed by what Stripe says, and by nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.integration.checkout.desk import (
    CREATE_SESSION,
    Desk,
    code_of,
    operations,
    sessions,
)
from tests.integration.checkout.lock_order import inversions, recorded_lock_orders

from checkout.decisions.recovery import RECOVERY_ATTEMPTS_MAX

pytestmark = pytest.mark.connected

RETRIEVE, EXPIRE, LIST = (f"checkout.sessions.{verb}" for verb in ("retrieve", "expire", "list"))
VERIFYING = "checkout_recovery_verification_pending"


async def overdue(desk: Desk) -> tuple[Any, dict[str, Any]]:
    """A bound session that is past its time by our clock; Stripe has sent no event."""
    await desk.checkout("click-1")
    row = await desk.row(sessions)
    past = datetime.now(UTC) - timedelta(seconds=91)
    await desk.set(sessions, row.id, expires_at=past)
    (at_stripe,) = desk.stripe_sessions()
    return row, at_stripe


async def held(desk: Desk, fault: str) -> Any:
    """An operation that ended behind a hold; `fault` says whether Stripe ran the call. The list
    that recovery looks at first fails, so the hold is made although a session may be there."""
    desk.fault(fault)
    await desk.checkout("click-1")
    row = await desk.end_lease("click-1")
    await desk.set(operations, row.id, provider_idempotency_replay_deadline_at=datetime.now(UTC))
    desk.fault("drop_before", LIST)
    ended = await desk.handle(desk.recover(row))
    assert code_of(ended) == "checkout_recovery_window_elapsed"
    hold = await desk.row(sessions)
    assert hold.status == "recovery_verification_pending"
    return hold


@pytest.mark.requirement("CHK-03")
@pytest.mark.requirement("SCOPE-05")
async def test_a_payment_at_the_last_moment_never_becomes_a_second_one(desk: Desk) -> None:
    row, at_stripe = await overdue(desk)
    desk.pay(at_stripe["id"])  # and its event is late

    second = await desk.checkout("click-2")

    assert (second.http_status, code_of(second)) == (409, "checkout_completion_pending")
    assert len(desk.stripe_sessions()) == 1
    after = await desk.row(sessions, id=row.id)
    assert after.status == "completed_pending_subscription"
    assert after.provider_subscription_id is not None
    assert len(await desk.rows(operations)) == 1, "the second key is not burned"


@pytest.mark.requirement("CHK-03")
async def test_what_stripe_calls_expired_frees_the_entity(desk: Desk) -> None:
    row, at_stripe = await overdue(desk)
    desk.double.call(lambda control: control.abandon(at_stripe["id"]))

    with recorded_lock_orders(desk.test_database.engine) as transactions:
        assert (await desk.checkout("click-2")).http_status == 200

    assert inversions(transactions) == []
    assert (await desk.row(sessions, id=row.id)).status == "expired"
    assert desk.requests(EXPIRE) == []


@pytest.mark.requirement("CHK-03")
async def test_what_stripe_still_calls_open_is_expired_there_first(desk: Desk) -> None:
    """Our clock is ahead of Stripe's: the page could still be paid."""
    row, at_stripe = await overdue(desk)

    assert (await desk.checkout("click-2")).http_status == 200

    (old,) = [one for one in desk.stripe_sessions() if one["id"] == at_stripe["id"]]
    assert old["status"] == "expired"
    assert (await desk.row(sessions, id=row.id)).status == "expired"
    assert [one["status"] for one in desk.stripe_sessions()].count("open") == 1


@pytest.mark.requirement("CHK-03")
@pytest.mark.parametrize("operation", [RETRIEVE, EXPIRE])
async def test_without_stripes_word_the_entity_stays_blocked(desk: Desk, operation: str) -> None:
    row, _ = await overdue(desk)
    desk.fault("drop_before", operation, times=2)
    if operation == EXPIRE:
        desk.fault("drop_before", RETRIEVE, skip=1)

    blocked = await desk.checkout("click-2")

    assert (blocked.http_status, code_of(blocked)) == (409, VERIFYING)
    assert blocked.retry_after_seconds
    assert (await desk.row(sessions, id=row.id)).status == "open"
    assert len(desk.requests(CREATE_SESSION)) == 1
    desk.double.call(lambda control: control.clear_faults())
    assert (await desk.checkout("click-2")).http_status == 200, "the same key, once it is known"


async def test_a_session_paid_while_it_is_being_expired_blocks(desk: Desk) -> None:
    """Retrieved open, paid, and only then asked to expire: Stripe refuses, and is asked again."""
    row, _ = await overdue(desk)
    provider = desk.context.provider
    retrieve = provider.retrieve_checkout_session

    async def retrieve_then_pay(session_id: str) -> Any:
        answer = await retrieve(session_id)
        if not desk.double.call(lambda control: control.objects("subscription")):
            desk.pay(session_id)
        return answer

    provider.retrieve_checkout_session = retrieve_then_pay  # type: ignore[method-assign]

    blocked = await desk.checkout("click-2")

    assert code_of(blocked) == "checkout_completion_pending"
    assert (await desk.row(sessions, id=row.id)).status == "completed_pending_subscription"
    assert len(desk.stripe_sessions()) == 1


@pytest.mark.requirement("IDEM-13")
async def test_a_session_that_is_found_before_the_hold_is_bound(desk: Desk) -> None:
    desk.fault("drop_after")
    await desk.checkout("click-1")
    row = await desk.end_lease("click-1")
    await desk.set(operations, row.id, provider_idempotency_replay_deadline_at=datetime.now(UTC))
    sent = len(desk.requests(CREATE_SESSION))

    recovered = await desk.handle(desk.recover(row))

    assert recovered.http_status == 200
    assert len(desk.requests(CREATE_SESSION)) == sent, "create is never repeated past the deadline"
    (at_stripe,) = desk.stripe_sessions()
    session = await desk.row(sessions)
    assert (session.status, session.provider_checkout_session_id) == ("open", at_stripe["id"])


@pytest.mark.requirement("IDEM-13")
async def test_a_hold_ends_early_when_its_session_is_found_and_expired(desk: Desk) -> None:
    hold = await held(desk, "drop_after")

    assert (await desk.checkout("click-2")).http_status == 200

    ended = await desk.row(sessions, id=hold.id)
    (old,) = [
        one
        for one in desk.stripe_sessions()
        if one["metadata"]["operation_key"] == hold.operation_key
    ]
    assert old["status"] == "expired", "nobody had its URL, and nobody can pay it now"
    assert (ended.status, ended.provider_checkout_session_id) == ("expired", old["id"])
    assert not any("search" in request["path"] for request in desk.double.ledger("request"))


@pytest.mark.requirement("IDEM-13")
async def test_finding_nothing_does_not_end_a_hold(desk: Desk) -> None:
    """A read is not a fence: the first call may still be under way."""
    hold = await held(desk, "drop_before")

    blocked = await desk.checkout("click-2")

    assert (blocked.http_status, code_of(blocked)) == (409, VERIFYING)
    assert (await desk.row(sessions, id=hold.id)).status == "recovery_verification_pending"
    await desk.set(sessions, hold.id, expires_at=datetime.now(UTC))
    assert (await desk.checkout("click-2")).http_status == 200, "at its horizon it lapses"
    assert (await desk.row(sessions, id=hold.id)).status == "abandoned"


@pytest.mark.requirement("IDEM-19")
@pytest.mark.requirement("IDEM-11")
async def test_recovery_gives_up_in_a_state_that_a_person_can_explain(desk: Desk) -> None:
    desk.fault("drop_before", times=2)
    await desk.checkout("click-1")
    row = await desk.end_lease("click-1")
    await desk.set(operations, row.id, recovery_attempt_count=RECOVERY_ATTEMPTS_MAX)

    reply = await desk.handle(desk.recover(row))

    assert code_of(reply) == "checkout_recovery_window_elapsed"
    ended = await desk.operation("click-1")
    assert ended.status == "expired"
    assert str(RECOVERY_ATTEMPTS_MAX) in ended.failure_reason
    assert (await desk.row(sessions)).status == "recovery_verification_pending"
