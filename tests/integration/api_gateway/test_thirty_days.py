"""Proof 6: a key's answer is the same bytes for thirty days, across restarts and a rotation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from aiokafka import ConsumerRecord
from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.fixtures.databases import Database
from tests.integration.api_gateway.gateways import CheckoutByHand, Product, running_gateway
from tests.integration.checkout.desk import Desk, make_desk

from api_gateway.settings import GatewaySettings
from billing_common.contracts.commands import Command
from billing_common.storage.tables import metadata
from billing_common.storage.types import UtcDateTime
from stripe_double.testing import RunningDouble

pytestmark = [pytest.mark.connected, pytest.mark.requirement("IDEM-06")]

OLD, NEW = "o" * 40, "n" * 40
RINGS = {0: f"a:{OLD}", 10: f"b:{NEW},a:{OLD}", 20: f"b:{NEW}"}
RESTARTS = (1, 10, 20, 30)
DAYS = 30


async def let_a_day_pass(engine: AsyncEngine) -> None:
    """Everything that is stored is a day older."""
    async with engine.begin() as connection:
        for table in metadata.sorted_tables:
            moments = [column for column in table.c if isinstance(column.type, UtcDateTime)]
            if moments:
                a_day = text("INTERVAL 1 DAY")
                earlier = {column.name: func.date_sub(column, a_day) for column in moments}
                await connection.execute(update(table).values(earlier))


def ring_of(day: int) -> str:
    return RINGS[max(start for start in RINGS if start <= day)]


def on_day(wanted: GatewaySettings, day: int) -> GatewaySettings:
    return GatewaySettings.model_validate(
        wanted.model_dump(by_alias=False) | {"operation_key_secret": ring_of(day)}
    )


@dataclass
class Worker:
    """checkout, as far as commands go: its real handlers, one command at a time."""

    desk: Desk
    by_hand: CheckoutByHand
    handled: int = 0

    async def handle(self, record: ConsumerRecord[bytes, bytes]) -> None:
        command: Command = Command.from_bytes(record.value)
        reply = await self.desk.handle(command)
        assert reply is not None
        await self.by_hand.reply(record, **reply.model_dump())
        self.handled += 1

    async def run(self) -> None:
        while True:
            await self.handle(await self.by_hand.next_record(timeout_seconds=600))


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[None]:
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def desk(database: Database, stripe_double: RunningDouble) -> AsyncIterator[Desk]:
    made = await make_desk(database, stripe_double)
    yield made
    await made.close()


def facts(answer: httpx.Response) -> tuple[int, str, bytes]:
    return answer.status_code, answer.headers["content-type"], answer.content


async def test_the_same_bytes_for_thirty_days(
    gateway_settings: GatewaySettings, database: Database, desk: Desk, checkout: CheckoutByHand
) -> None:
    worker = Worker(desk, checkout)
    requests: dict[str, dict[str, Any]] = {
        "refused": {"planCode": "no-such-plan", "successPath": "/done", "cancelPath": "/plans"},
        "bought": {"planCode": "pro", "successPath": "/done", "cancelPath": "/plans"},
    }

    async def ask_all(client: httpx.AsyncClient) -> dict[str, tuple[int, str, bytes]]:
        product, found = Product(client), {}
        for key, body in requests.items():
            answer = await product.check_out("ann", key=key, body=body)
            found[key] = facts(answer)
            is_replay = answer.headers.get("idempotent-replayed") == "true"
            assert is_replay is bool(first), (key, answer.text)
        return found

    first: dict[str, tuple[int, str, bytes]] = {}
    async with running_gateway(on_day(gateway_settings, 0)) as client:
        await Product(client).put_user("ann")
        async with working(worker):
            first |= await ask_all(client)
    assert {key: status for key, (status, _, _) in first.items()} == {"refused": 404, "bought": 200}
    assert worker.handled == 2
    operation_key = json.loads(first["bought"][2])["operationKey"]

    day = 0
    for restart in RESTARTS:
        async with running_gateway(on_day(gateway_settings, restart)) as client:
            while day < restart:
                await let_a_day_pass(database.engine)
                day += 1
                assert await ask_all(client) == first, f"day {day}"
            shown = await Product(client).get(f"/api/billing/operations/{operation_key}", "ann")
            assert shown.json()["result"] == json.loads(first["bought"][2])
    assert day == DAYS
    assert await checkout.has_silence()
    assert len(desk.stripe_sessions()) == 1


async def test_a_click_before_a_rotation_and_its_repetition_after_it_are_one(
    gateway_settings: GatewaySettings, database: Database, desk: Desk, checkout: CheckoutByHand
) -> None:
    """Neither is claimed yet when the secret changes: two names of one intent are on their way."""
    worker = Worker(desk, checkout)
    at_once = {"Prefer": "wait=0"}
    async with running_gateway(on_day(gateway_settings, 0)) as client:
        product = Product(client)
        await product.put_user("ann")
        before = await product.check_out("ann", headers=at_once)
    assert before.status_code == 202
    async with running_gateway(on_day(gateway_settings, 10)) as client:
        product = Product(client)
        shown = await product.get(before.headers["location"], "ann")  # the old receipt is good
        assert shown.json()["status"] == "accepted"
        after = await product.check_out("ann", headers=at_once)
        assert after.status_code == 202
        assert after.json()["operationKey"] != before.json()["operationKey"]
        desk.context = replace(desk.context, provider_key_secret=b"q" * 32)
        for _ in range(2):
            await worker.handle(await checkout.next_record())
        answer = await product.check_out("ann")
    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (200, "true")
    assert answer.json()["operationKey"] == before.json()["operationKey"]
    assert len(desk.stripe_sessions()) == 1
    async with running_gateway(on_day(gateway_settings, 20)) as client:
        product = Product(client)
        assert facts(await product.check_out("ann")) == facts(answer)
        # What was signed with a secret that is gone says nothing; the key itself still does.
        location = before.headers["location"]
        assert (await product.get(location, "ann")).json()["status"] == "succeeded"
