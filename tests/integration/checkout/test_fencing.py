"""Whoever comes late changes nothing: takeover, an event that was faster, a lost COMMIT."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from tests.integration.checkout.desk import (
    CREATE_SESSION,
    Desk,
    code_of,
    operations,
    sessions,
    unchanged,
)
from tests.integration.checkout.interference import LostCommit, PausingProvider

from billing_common.contracts.replies import Reply
from billing_common.settings import STRIPE_API_VERSION
from billing_common.storage.database_errors import CommitOutcomeUnknown
from checkout.handlers.commands import handle_command

pytestmark = pytest.mark.connected


class Sleeper:
    """A worker that is asleep around its provider call, and the command it works on."""

    def __init__(self, desk: Desk, *, pauses_before: bool = False) -> None:
        self.provider = PausingProvider(
            pauses_before=pauses_before,
            secret_key=desk.double.api_key,
            api_version=STRIPE_API_VERSION,
            timeout_seconds=5,
            base_url=desk.double.url,
        )
        desk.providers.append(self.provider)
        self.task = asyncio.create_task(
            handle_command(desk.worker("sleeper", provider=self.provider), desk.start("click-1"))
        )

    async def asleep(self) -> None:
        async with asyncio.timeout(20):
            await self.provider.is_paused.wait()

    async def wake(self) -> Reply:
        self.provider.may_go_on.set()
        async with asyncio.timeout(20):
            return await self.task


def fenced_writes(name: str) -> float:
    return REGISTRY.get_sample_value("billing_fenced_writes_total", {"name": name}) or 0.0


async def everything(desk: Desk) -> list[Any]:
    return [await desk.rows(operations), await desk.rows(sessions), await desk.jobs()]


@pytest.mark.requirement("IDEM-10")
@pytest.mark.requirement("IDEM-20")
@pytest.mark.parametrize("pauses_before", [False, True], ids=["after the call", "before the call"])
async def test_a_late_first_worker_answers_what_recovery_stored(
    desk: Desk, *, pauses_before: bool
) -> None:
    sleeper = Sleeper(desk, pauses_before=pauses_before)
    await sleeper.asleep()
    row = await desk.end_lease("click-1")
    recovered = await desk.handle(desk.recover(row))
    assert recovered.http_status == 200
    before = await everything(desk)

    late = await sleeper.wake()

    assert (late.http_status, late.body) == (200, recovered.body)
    assert late.is_replay
    assert await everything(desk) == before
    assert len(desk.stripe_sessions()) == 1


@pytest.mark.requirement("IDEM-10")
async def test_a_late_first_worker_is_fenced_while_recovery_is_pending(desk: Desk) -> None:
    sleeper = Sleeper(desk)
    await sleeper.asleep()
    row = await desk.end_lease("click-1")
    desk.fault("rate_limit")
    assert code_of(await desk.handle(desk.recover(row))) == "request_in_progress"
    before, counted = await everything(desk), fenced_writes("checkout.tx_b")

    late = await sleeper.wake()

    assert code_of(late) == "request_in_progress"
    assert await everything(desk) == before
    assert fenced_writes("checkout.tx_b") == counted + 1
    row = await desk.end_lease("click-1")
    assert (await desk.handle(desk.recover(row))).http_status == 200
    assert len(desk.stripe_sessions()) == 1


@pytest.mark.requirement("IDEM-10")
async def test_a_late_rejection_is_fenced_too(desk: Desk) -> None:
    """The sleeper's own call is refused (its API key is wrong); recovery holds the lease."""
    await desk.checkout("before")
    await desk.set(sessions, (await desk.row(sessions)).id, status="abandoned")
    sleeper = Sleeper(desk, pauses_before=True)
    await sleeper.asleep()
    row = await desk.end_lease("click-1")
    desk.fault("rate_limit")
    await desk.handle(desk.recover(row))
    before, counted = await everything(desk), fenced_writes("checkout.end")
    desk.double.call(lambda control: control.clear_faults())
    price = desk.price_id
    async with asyncio.timeout(10):
        await desk.provider()._client.v1.prices.update_async(price, {"active": False})

    late = await sleeper.wake()

    assert code_of(late) == "request_in_progress"
    assert await everything(desk) == before
    assert fenced_writes("checkout.end") == counted + 1


async def finish_as_projection(desk: Desk, at_stripe: dict[str, Any], **values: Any) -> None:
    """What projection stores when the completed event is faster than Tx B."""
    row = await desk.operation("click-1")
    await desk.add_session(
        status="completed_pending_subscription",
        operation_key=row.operation_key,
        idempotency_row_id=row.id,
        provider_checkout_session_id=at_stripe["id"],
        provider_customer_id=at_stripe["customer"],
        provider_subscription_id=at_stripe["subscription"],
        expires_at=datetime.fromtimestamp(at_stripe["expires_at"], UTC),
    )
    await desk.set(
        operations,
        row.id,
        **{
            "status": "succeeded",
            "lease_version": row.lease_version + 1,
            "lease_owner": None,
            "pending_lease_expires_at": None,
            "provider_session_id": at_stripe["id"],
            "response_status": 200,
            "response_body": b'{"stored":"by projection"}',
            **values,
        },
    )


@pytest.mark.requirement("IDEM-20")
async def test_an_operation_that_an_event_finished_stays_finished(desk: Desk) -> None:
    """Paid, projected with its own subscription, and only then Tx B comes."""
    sleeper = Sleeper(desk)
    await sleeper.asleep()
    (at_stripe,) = desk.stripe_sessions()
    paid = desk.pay(at_stripe["id"])
    await finish_as_projection(desk, paid)
    row = await desk.operation("click-1")
    await desk.add_subscription(
        operation_key=row.operation_key, provider_subscription_id=paid["subscription"]
    )
    before = await everything(desk)

    late = await sleeper.wake()

    assert (late.http_status, late.body) == (200, '{"stored":"by projection"}')
    assert await everything(desk) == before


@pytest.mark.requirement("IDEM-20")
async def test_own_subscription_is_no_obstacle(desk: Desk) -> None:
    """Its subscription is projected before anything finished the operation."""
    sleeper = Sleeper(desk)
    await sleeper.asleep()
    (at_stripe,) = desk.stripe_sessions()
    desk.pay(at_stripe["id"])
    row = await desk.end_lease("click-1")
    await desk.add_subscription(operation_key=row.operation_key)

    recovered = await desk.handle(desk.recover(row))

    assert recovered.http_status == 200
    assert (await desk.operation("click-1")).status == "succeeded"
    assert await desk.jobs() == []
    assert (await sleeper.wake()).body == recovered.body


async def test_a_paid_session_with_its_subscription_is_reconciled_at_once(desk: Desk) -> None:
    sleeper = Sleeper(desk)
    await sleeper.asleep()
    (at_stripe,) = desk.stripe_sessions()
    paid = desk.pay(at_stripe["id"])
    row = await desk.end_lease("click-1")
    await desk.add_subscription(provider_subscription_id=paid["subscription"])

    await desk.handle(desk.recover(row))

    assert (await desk.row(sessions)).status == "completed_reconciled"
    await sleeper.wake()


@pytest.mark.requirement("SCOPE-10")
async def test_a_session_that_an_event_moved_does_not_regress(desk: Desk) -> None:
    """The event moved the session, not the operation; Tx B still believes it is open."""
    sleeper = Sleeper(desk)
    await sleeper.asleep()
    (at_stripe,) = desk.stripe_sessions()
    row = await desk.operation("click-1")
    await desk.add_session(
        status="completed_pending_subscription",
        operation_key=row.operation_key,
        idempotency_row_id=row.id,
        provider_checkout_session_id=at_stripe["id"],
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    before = await desk.row(sessions)

    reply = await sleeper.wake()

    assert reply.http_status == 200
    assert json.loads(reply.body)["checkoutSession"]["status"] == "completed_pending_subscription"
    assert json.loads(reply.body)["checkoutSession"]["checkoutUrl"] is None
    assert unchanged(before, await desk.row(sessions))


@pytest.mark.requirement("CHK-05")
@pytest.mark.requirement("SCOPE-03")
async def test_another_subscription_wins_and_the_session_is_given_up(desk: Desk) -> None:
    sleeper = Sleeper(desk)
    await sleeper.asleep()
    await desk.add_subscription(operation_key="e" * 64)
    (at_stripe,) = desk.stripe_sessions()

    reply = await sleeper.wake()

    assert (reply.http_status, code_of(reply)) == (409, "subscription_exists_use_portal")
    assert at_stripe["url"] not in reply.body
    operation = await desk.operation("click-1")
    assert (operation.status, operation.failure_code) == (
        "failed",
        "subscription_exists_use_portal",
    )
    session = await desk.row(sessions)
    assert (session.status, session.provider_checkout_session_id, session.checkout_url) == (
        "abandoned",
        at_stripe["id"],
        None,
    )
    (job,) = await desk.jobs()
    assert (job.job_type, job.status) == ("expire_checkout_session", "pending")
    assert job.dedupe_key == f"stripe:{at_stripe['id']}"
    assert job.payload_json["provider_checkout_session_id"] == at_stripe["id"]
    assert job.operation_key == operation.operation_key
    again = await desk.checkout("click-1")
    assert (again.is_replay, again.body) == (True, reply.body)


async def test_a_session_of_an_ended_operation_is_expired(desk: Desk) -> None:
    """Recovery gave up behind a hold; then the first worker's session turns up."""
    sleeper = Sleeper(desk, pauses_before=True)
    await sleeper.asleep()
    row = await desk.end_lease("click-1")
    await desk.set(operations, row.id, provider_idempotency_replay_deadline_at=datetime.now(UTC))
    ended = await desk.handle(desk.recover(row))
    assert code_of(ended) == "checkout_recovery_window_elapsed"

    late = await sleeper.wake()

    assert (late.http_status, late.body) == (ended.http_status, ended.body)
    (at_stripe,) = desk.stripe_sessions()
    assert at_stripe["url"] not in late.body, "an unbound session's URL never leaves"
    (job,) = await desk.jobs()
    assert job.payload_json["provider_checkout_session_id"] == at_stripe["id"]


@pytest.mark.parametrize("is_stored", [True, False])
async def test_a_lost_commit_of_tx_a_is_read_again(desk: Desk, *, is_stored: bool) -> None:
    database = LostCommit(desk.test_database.engine, name="checkout.tx_a", is_stored=is_stored)
    worker = desk.worker("worker-1", database=database)
    command = desk.start("click-1")

    if not is_stored:  # the consumer handles the command again
        with pytest.raises(CommitOutcomeUnknown):
            await handle_command(worker, command)
    reply = await handle_command(worker, command)

    assert reply.http_status == 200
    assert len(desk.stripe_sessions()) == 1
    assert len(await desk.rows(operations)) == 1


@pytest.mark.parametrize("is_stored", [True, False])
async def test_a_lost_commit_of_tx_b_answers_what_is_stored(desk: Desk, *, is_stored: bool) -> None:
    database = LostCommit(desk.test_database.engine, name="checkout.tx_b", is_stored=is_stored)

    reply = await handle_command(desk.worker("worker-1", database=database), desk.start("click-1"))

    if is_stored:
        assert reply.http_status == 200
        assert reply.body.encode() == (await desk.operation("click-1")).response_body
        return
    assert code_of(reply) == "request_in_progress"
    row = await desk.end_lease("click-1")
    assert (await desk.handle(desk.recover(row))).http_status == 200
    assert len(desk.stripe_sessions()) == 1
    assert len(desk.requests(CREATE_SESSION, executed=True)) == 1


async def test_a_lost_commit_of_an_end_answers_what_is_stored(desk: Desk) -> None:
    await desk.checkout("before")
    await desk.set(sessions, (await desk.row(sessions)).id, status="abandoned")
    database = LostCommit(desk.test_database.engine, name="checkout.end", is_stored=True)
    stranger = desk.worker(
        "stranger", database=database, provider=desk.provider(secret_key="sk_test_not_accepted")
    )

    reply = await handle_command(stranger, desk.start("click-1"))

    assert code_of(reply) == "checkout_provider_error"
    assert reply.body.encode() == (await desk.operation("click-1")).response_body
