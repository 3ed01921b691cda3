"""Everything at once, on a real database: clicks, recovery, events, expiry, and deadlocks."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from asyncmy.errors import OperationalError
from tests.fixtures.databases import Database as OwnDatabase
from tests.fixtures.schema_template import admin_connection, run_sql
from tests.integration.checkout.desk import Desk, code_of, make_desk, sessions
from tests.integration.checkout.interference import PausingProvider
from tests.integration.projection.projectors import projector_on
from tests.integration.projection.purchases import batch_of, double_http

from billing_common.contracts.replies import Reply
from billing_common.domain.errors import TransientError
from billing_common.settings import STRIPE_API_VERSION
from billing_common.storage.engine import make_engine
from billing_common.storage.transaction import Database
from checkout.handlers.commands import handle_command
from stripe_double.testing import RunningDouble

pytestmark = pytest.mark.connected

# The full sizes: HOLDFAST_RACE_KEYS=150 HOLDFAST_RACE_ROUNDS=50.
KEYS = int(os.environ.get("HOLDFAST_RACE_KEYS", "6"))
ROUNDS = int(os.environ.get("HOLDFAST_RACE_ROUNDS", "4"))
CLIENTS = 16
ASKED_AGAIN_MAX = 200
STORM_ROUNDS = 40


@pytest.fixture
async def desk(database: OwnDatabase, stripe_double: RunningDouble) -> AsyncIterator[Desk]:
    """Workers share a pool as large as there are clients."""
    made = await make_desk(database, stripe_double)
    engine = make_engine(database.url, pool_size=CLIENTS * 2, pool_overflow=0)
    made.context = replace(made.context, database=Database(engine))
    yield made
    await made.close()
    await engine.dispose()


async def of_new_entity(desk: Desk) -> Desk:
    return replace(desk, entity_id=await desk.add_entity())


async def insist(desk: Desk, client_key: str, worker: int) -> Reply:
    """A client that asks again while it is told to wait; a command whose transaction lost every
    race is handled again, as the consumer does it."""
    context = desk.worker(f"worker-{worker % 4}")
    for _ in range(ASKED_AGAIN_MAX):
        try:
            reply = await handle_command(context, desk.start(client_key))
        except TransientError:
            continue
        if reply.http_status == 200 or code_of(reply) != "request_in_progress":
            return reply
        await asyncio.sleep(0.05)
    raise AssertionError("still in progress")


def at_stripe(desk: Desk) -> list[dict[str, Any]]:
    mine = str(desk.entity_id)
    return [one for one in desk.stripe_sessions() if one["metadata"]["billable_entity_id"] == mine]


async def check_one(desk: Desk, client_key: str) -> Any:
    """One operation, one session row, one session at Stripe; all of one mind."""
    (found,) = at_stripe(desk)
    row = await desk.operation(client_key)
    assert (row.status, row.provider_session_id) == ("succeeded", found["id"])
    stored = await desk.row(sessions, idempotency_row_id=row.id)
    assert stored.provider_checkout_session_id == found["id"]
    return stored


@pytest.mark.requirement("IDEM-02")
@pytest.mark.requirement("IDEM-03")
@pytest.mark.timeout(max(300, KEYS * 10))
async def test_sixteen_clients_with_one_key_hear_one_answer(desk: Desk) -> None:
    for number in range(KEYS):
        own = await of_new_entity(desk)
        key = f"storm-{number}"
        replies = await asyncio.gather(*(insist(own, key, n) for n in range(CLIENTS)))

        assert {reply.http_status for reply in replies} == {200}
        assert len({reply.body for reply in replies}) == 1
        await check_one(own, key)


@pytest.mark.requirement("SCOPE-04")
@pytest.mark.requirement("IDEM-05")
async def test_many_keys_of_one_entity_make_one_session(desk: Desk) -> None:
    for number in range(ROUNDS):
        own = await of_new_entity(desk)
        keys = [f"click-{number}-{n}" for n in range(CLIENTS)]
        replies = await asyncio.gather(*(insist(own, key, n) for n, key in enumerate(keys)))

        assert Counter(reply.http_status for reply in replies) == {200: 1, 409: CLIENTS - 1}
        assert len(at_stripe(own)) == 1
        winner = keys[[reply.http_status for reply in replies].index(200)]
        await check_one(own, winner)


@pytest.mark.requirement("IDEM-11")
async def test_recovery_against_the_worker_that_was_only_slow(desk: Desk) -> None:
    for number in range(ROUNDS):
        own, key = await of_new_entity(desk), f"slow-{number}"
        provider = PausingProvider(
            pauses_before=bool(number % 2),
            secret_key=own.double.api_key,
            api_version=STRIPE_API_VERSION,
            timeout_seconds=5,
            base_url=own.double.url,
        )
        own.providers.append(provider)
        context = own.worker("slow", provider=provider)
        slow = asyncio.create_task(handle_command(context, own.start(key)))
        async with asyncio.timeout(20):
            await provider.is_paused.wait()
        recovery = own.recover(await own.end_lease(key))
        others = [handle_command(own.worker(f"recovery-{n}"), recovery) for n in range(3)]
        provider.may_go_on.set()
        replies = await asyncio.gather(slow, *others)

        final = await insist_after_lease(own, key)
        assert {reply.body for reply in replies if reply.http_status == 200} <= {final.body}
        await check_one(own, key)


async def insist_after_lease(desk: Desk, client_key: str) -> Reply:
    if (await desk.operation(client_key)).status == "pending":
        await desk.end_lease(client_key)
    return await insist(desk, client_key, 0)


@pytest.mark.requirement("IDEM-20")
@pytest.mark.parametrize("ending", ["paid", "expired"])
async def test_an_event_against_tx_b_and_recovery(desk: Desk, ending: str) -> None:
    """Stripe tells projection how the session ended while two workers still want to bind it."""
    offset = 0
    async with projector_on(desk.test_database, desk.double) as projector:
        for number in range(ROUNDS):
            own, key = await of_new_entity(desk), f"event-{ending}-{number}"
            own.fault("drop_after")
            await own.checkout(key)
            (found,) = at_stripe(own)
            act = "pay" if ending == "paid" else "abandon"
            own.double.call(lambda control, act=act, name=found["id"]: getattr(control, act)(name))
            batch = batch_of(events_about(own, found["customer"]), first_offset=offset)
            offset = batch.next_offset
            recovery = own.recover(await own.end_lease(key))
            both = [handle_command(own.worker(f"worker-{n}"), recovery) for n in range(2)]
            replies = await asyncio.gather(*both, projector.process(batch))
            final = await insist_after_lease(own, key)

            told = {reply.body for reply in replies[:2] if code_or_ok(reply) != "in progress"}
            assert told <= {final.body}, "one key, one answer"
            row, stored = await own.operation(key), await own.rows(sessions)
            (mine,) = [one for one in stored if one.operation_key == row.operation_key]
            assert row.status == ("succeeded" if ending == "paid" else "expired")
            assert mine.provider_checkout_session_id == found["id"]
            wanted = {"completed_reconciled"} if ending == "paid" else {"expired"}
            assert mine.status in wanted, mine.status


def code_or_ok(reply: Reply) -> str:
    is_waiting = reply.http_status != 200 and code_of(reply) == "request_in_progress"
    return "in progress" if is_waiting else "final"


def events_about(desk: Desk, customer_id: str) -> list[dict[str, Any]]:
    """Oldest first, as Stripe would deliver them."""
    with double_http(desk.double) as http:
        page = http.get("/v1/events", params={"limit": 100}).raise_for_status().json()
    mine = [one for one in page["data"] if one["data"]["object"].get("customer") == customer_id]
    return mine[::-1]


async def test_a_deadlock_storm_is_seen_by_no_client(desk: Desk) -> None:
    """Somebody locks the entities' rows the wrong way round, again and again."""
    owns = [await of_new_entity(desk) for _ in range(4)]
    saboteurs = [
        lock_the_wrong_way_round(desk.test_database, [own.entity_id for own in owns], seed)
        for seed in range(2)
    ]
    clients = [insist(own, f"stormy-{n % 2}", n) for own in owns for n in range(6)]
    *replies, first, second = await asyncio.gather(*clients, *saboteurs)

    assert {reply.http_status for reply in replies} <= {200, 409}, "no 5xx"
    assert first + second > 0, "a storm without a deadlock proves nothing"
    for own in owns:
        assert len(at_stripe(own)) == 1


async def lock_the_wrong_way_round(database: OwnDatabase, entity_ids: list[int], seed: int) -> int:
    """How often the server named somebody a victim of it: this connection, or a client's."""
    dice, victims = random.Random(seed), 0
    async with admin_connection(database.url) as connection:
        await run_sql(connection, "SET SESSION innodb_lock_wait_timeout = 1")
        before = await _deadlocks(connection)
        for _ in range(STORM_ROUNDS):
            entity_id = dice.choice(entity_ids)
            mine = f"WHERE billable_entity_id = {entity_id} FOR UPDATE"
            gate = f"WHERE id = {entity_id} FOR UPDATE"
            try:
                await run_sql(connection, "BEGIN")
                for table in ("billing_checkout_sessions", "billing_request_idempotency"):
                    await run_sql(connection, f"SELECT id FROM {table} {mine}")
                await run_sql(
                    connection,
                    f"SELECT id FROM billable_entities {gate}",
                )
            except OperationalError as error:
                victims += error.args[0] == 1213
            finally:
                await run_sql(connection, "ROLLBACK")
            await asyncio.sleep(dice.uniform(0, 0.02))
        return victims + await _deadlocks(connection) - before


async def _deadlocks(connection: Any) -> int:
    """As the server counts them (MariaDB; MySQL does not say)."""
    rows = await run_sql(connection, "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
    return int(rows[0][1]) if rows else 0
