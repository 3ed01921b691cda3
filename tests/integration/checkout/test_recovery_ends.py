"""Operations that cannot be finished: how they end, and the hold that keeps the entity safe."""

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
    unchanged,
)

from billing_common.domain.checkout_session import EXPIRY_GRACE

pytestmark = pytest.mark.connected


async def stalled(desk: Desk, *, fault: str = "drop_before", **columns: Any) -> Any:
    """A pending row whose worker died in the provider call, with these columns changed. By default
    the call never arrived at the provider."""
    desk.fault(fault)
    await desk.checkout("click-1")
    row = await desk.end_lease("click-1")
    if columns:
        await desk.set(operations, row.id, **columns)
    return await desk.operation("click-1")


def past(seconds: float = 1) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


@pytest.mark.requirement("IDEM-09")
@pytest.mark.requirement("IDEM-13")
async def test_past_the_deadline_create_is_never_repeated(desk: Desk) -> None:
    row = await stalled(desk, provider_idempotency_replay_deadline_at=past())
    sent = len(desk.requests(CREATE_SESSION))

    reply = await desk.handle(desk.recover(row))

    assert (reply.http_status, code_of(reply)) == (409, "checkout_recovery_window_elapsed")
    assert len(desk.requests(CREATE_SESSION)) == sent
    ended = await desk.operation("click-1")
    assert (ended.status, ended.failure_code) == ("expired", "checkout_recovery_window_elapsed")
    assert ended.failure_reason
    hold = await desk.row(sessions)
    assert (hold.status, hold.provider_checkout_session_id, hold.checkout_url) == (
        "recovery_verification_pending",
        None,
        None,
    )
    assert hold.expires_at == row.provider_checkout_session_expires_at_upper_bound + EXPIRY_GRACE
    blocked = await desk.checkout("click-2")
    assert code_of(blocked) == "checkout_recovery_verification_pending"
    again = await desk.checkout("click-1")
    assert (again.is_replay, again.body) == (True, reply.body)


@pytest.mark.requirement("IDEM-13")
async def test_no_hold_once_nothing_can_be_paid_any_more(desk: Desk) -> None:
    row = await stalled(
        desk,
        provider_idempotency_replay_deadline_at=past(7200),
        provider_checkout_session_expires_at_upper_bound=past(3600),
    )

    assert code_of(await desk.handle(desk.recover(row))) == "checkout_recovery_window_elapsed"

    assert await desk.rows(sessions) == []
    assert (await desk.checkout("click-2")).http_status == 200


@pytest.mark.requirement("IDEM-12")
@pytest.mark.requirement("IDEM-13")
@pytest.mark.parametrize(
    "columns",
    [
        {"provider_api_version": "2025-01-01.acacia"},
        {"provider_sdk_version": "15.9.9"},
        {"provider_sdk_name": "stripe-node"},
        {"provider_request_schema_version": "stripe_checkout_session_create_params_v2"},
    ],
)
async def test_what_another_version_began_is_not_repeated(
    desk: Desk, columns: dict[str, str]
) -> None:
    row = await stalled(desk, **columns)
    sent = len(desk.requests(CREATE_SESSION))

    reply = await desk.handle(desk.recover(row))

    assert code_of(reply) == "checkout_replay_provenance_mismatch"
    assert len(desk.requests(CREATE_SESSION)) == sent
    ended = await desk.operation("click-1")
    assert ended.status == "failed"
    assert next(iter(columns.values())) in ended.failure_reason or "schema" in str(columns)
    assert (await desk.row(sessions)).status == "recovery_verification_pending"


@pytest.mark.requirement("IDEM-12")
async def test_a_minor_version_of_the_sdk_may_differ(desk: Desk) -> None:
    row = await stalled(desk, provider_sdk_version="16.0.0")

    assert (await desk.handle(desk.recover(row))).http_status == 200


@pytest.mark.requirement("IDEM-07")
@pytest.mark.parametrize(
    "columns",
    [
        {"provider_request_hash": "0" * 64},
        {"provider_request_params": '{"mode":"subscription"}'},
        {"provider_request_params": None},
        {"provider_checkout_session_expires_at_upper_bound": None},
    ],
)
async def test_an_altered_request_is_not_sent(desk: Desk, columns: dict[str, Any]) -> None:
    row = await stalled(desk, **columns)
    sent = len(desk.requests(CREATE_SESSION))

    reply = await desk.handle(desk.recover(row))

    assert code_of(reply) == "checkout_configuration_invalid"
    assert len(desk.requests(CREATE_SESSION)) == sent
    assert (await desk.operation("click-1")).status == "failed"


@pytest.mark.requirement("IDEM-13")
async def test_a_hold_never_shortens(desk: Desk) -> None:
    row = await stalled(desk, provider_idempotency_replay_deadline_at=past())
    long = datetime.now(UTC) + timedelta(days=9)
    await desk.add_session(
        status="recovery_verification_pending", operation_key=row.operation_key, expires_at=long
    )

    await desk.handle(desk.recover(row))

    assert (await desk.row(sessions)).expires_at == long


@pytest.mark.requirement("IDEM-13")
async def test_a_shorter_hold_is_extended(desk: Desk) -> None:
    row = await stalled(desk, provider_idempotency_replay_deadline_at=past())
    await desk.add_session(
        status="recovery_verification_pending", operation_key=row.operation_key, expires_at=past()
    )

    await desk.handle(desk.recover(row))

    bound = row.provider_checkout_session_expires_at_upper_bound + EXPIRY_GRACE
    assert (await desk.row(sessions)).expires_at == bound


@pytest.mark.requirement("IDEM-13")
@pytest.mark.parametrize(
    "status",
    ["open", "completed_pending_subscription", "completed_reconciled", "expired", "abandoned"],
)
async def test_a_correlated_session_never_regresses_to_a_hold(desk: Desk, status: str) -> None:
    row = await stalled(desk, provider_idempotency_replay_deadline_at=past())
    await desk.add_session(status=status, operation_key=row.operation_key, expires_at=past())
    before = await desk.row(sessions)

    await desk.handle(desk.recover(row))

    assert unchanged(before, await desk.row(sessions))


async def test_a_known_session_is_retrieved_even_past_the_deadline(desk: Desk) -> None:
    row = await stalled(desk, fault="drop_after")
    (at_stripe,) = desk.stripe_sessions()
    await desk.set(
        operations,
        row.id,
        provider_session_id=at_stripe["id"],
        provider_idempotency_replay_deadline_at=past(),
    )
    sent = len(desk.requests(CREATE_SESSION))

    reply = await desk.handle(desk.recover(row))

    assert reply.http_status == 200
    assert len(desk.requests(CREATE_SESSION)) == sent


async def test_a_known_session_that_stripe_does_not_know_ends_behind_a_hold(desk: Desk) -> None:
    row = await stalled(desk, provider_session_id="cs_test_of_another_account")

    reply = await desk.handle(desk.recover(row))

    assert code_of(reply) == "checkout_provider_error"
    assert (await desk.row(sessions)).status == "recovery_verification_pending"


@pytest.mark.requirement("IDEM-10")
async def test_every_recovery_waits_longer_up_to_a_limit(desk: Desk) -> None:
    desk.fault("rate_limit", times=9)
    await desk.checkout("click-1")
    lengths = []
    for _ in range(4):
        row = await desk.end_lease("click-1")
        await desk.handle(desk.recover(row))
        row = await desk.operation("click-1")
        lengths.append(
            round((row.pending_lease_expires_at - row.last_recovery_attempt_at).total_seconds())
        )

    assert lengths == [60, 120, 240, 240]
    assert (row.lease_version, row.recovery_attempt_count) == (5, 4)
    assert row.lease_owner == "worker-1"
