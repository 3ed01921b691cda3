"""Checkouts through the whole stack at 1, 8 and 64 clients, with a quick and with a slow Stripe.

Beside them what each costs without us: the same two calls at the double, by as many clients. Then
the price of remembering: the same answer replayed, with few old intents and with very many.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fixtures.schema_template import admin_connection, run_sql
from tests.fixtures.stack_processes import WholeStack
from tests.stack.ledger import ledger
from tests.stack.market import Buyer, Market, market

from bench.checkout_bench import at_the_double, timed
from bench.measurement import Road, percentile, report
from holdfast_cli.environment import DATABASE_NAME
from holdfast_cli.servers import KafkaServer, MariaDbServer, free_port
from holdfast_cli.servers.install import default_cache_dir, fetch_kafka_jars

CLIENTS: Final = (1, 8, 64)
SLOW_MS: Final = 300
# Old intents in the table for the second half of the replays.
OLD_ROWS: Final = int(os.environ.get("BENCH_OLD_INTENTS", "1000000"))
_DOUBLINGS_FROM: Final = 1000
_TIMINGS: Final = {
    "checkout": {"BILLING_CHECKOUT_LEASE_SECONDS": "60", "BILLING_STRIPE_TIMEOUT_SECONDS": "20"},
    "api-gateway": {"GATEWAY_REPLY_WAIT_SECONDS": "25"},
}
_CALLS: Final = ("customers.create", "checkout.sessions.create")


@dataclass(frozen=True, slots=True)
class Setting:
    """How many clients at once, and how long Stripe thinks about each call."""

    clients: int
    stripe_ms: int

    @property
    def name(self) -> str:
        return f"{self.clients} clients, Stripe +{self.stripe_ms} ms"

    def count(self, most: int) -> int:
        """Few at a time take longer: fewer of them say as much."""
        return max(8, min(most, self.clients * (40 if self.stripe_ms == 0 else 12)))


SETTINGS: Final = tuple(Setting(clients, ms) for ms in (0, SLOW_MS) for clients in CLIENTS)


async def as_in_production(stack: WholeStack) -> None:
    """The stack of the tests has short timings, so that what must be waited for is seen."""
    for service, timings in _TIMINGS.items():
        await asyncio.to_thread(stack.stop_service, service)
        await stack.start_service(service, **timings)


async def slow_down(stack: WholeStack, milliseconds: int) -> None:
    """From now on each of the two calls takes so much longer."""
    async with ledger(stack) as stripe:
        await stripe.forget_faults()
        if milliseconds:
            for operation in _CALLS:
                await stripe.tell(
                    "/faults",
                    kind="delay",
                    operation=operation,
                    delay_ms=milliseconds,
                    times=1_000_000,
                )


async def check_out(shop: Market, buyers: Sequence[Buyer], clients: int) -> list[float]:
    async def one(number: int) -> None:
        await shop.open_checkout(buyers[number], key=secrets.token_hex(8), deadline_seconds=120)

    rate, seconds = await timed(len(buyers), one, at_once=clients)
    return [rate, *seconds]


async def measure(stack: WholeStack, setting: Setting, *, rounds: int, count: int) -> list[Road]:
    alone = Road(f"the double alone, {setting.name}", is_limit=True)
    ours = Road(f"checkout, {setting.name}", limit=alone)
    found: list[float] = []
    asked_again: Counter[str] = Counter()
    price = (await stack.rows("select provider_price_id from billing_plan_prices limit 1"))[0][0]
    price = price.decode() if isinstance(price, bytes) else price
    await slow_down(stack, setting.stripe_ms)
    for _ in range(rounds):
        async with market(stack) as shop:
            buyers = await shop.buyers(setting.count(count))
            rate, *seconds = await check_out(shop, buyers, setting.clients)
        ours.rates.append(rate)
        found += seconds
        asked_again += shop.retries
        bare, _ = await at_the_double(stack, price, len(buyers), at_once=setting.clients)
        alone.rates.append(bare)
    print(
        f"  {ours.name}: p50 {percentile(found, 0.5) * 1000:.0f} ms, "
        f"p99 {percentile(found, 0.99) * 1000:.0f} ms, n={len(found)}, "
        f"asked again {dict(asked_again)}"
    )
    return [ours, alone]


async def replay(stack: WholeStack, name: str, *, rounds: int, count: int) -> Road:
    """One finished intent, asked for again and again by 16 clients."""
    road = Road(name)
    async with market(stack) as shop:
        (buyer,) = await shop.buyers(1)
        await shop.ask(buyer, key="first")

        async def one(_number: int) -> None:
            answer = await shop.ask(buyer, key="first")
            if answer.headers.get("Idempotent-Replayed") != "true":
                raise RuntimeError(f"{answer.status_code} {answer.text}")

        for _ in range(rounds):
            rate, _ = await timed(count, one)
            road.rates.append(rate)
    return road


async def grow(database: MariaDbServer, rows: int) -> None:
    """So many finished intents of one old account, made from one row by doubling."""
    columns = (
        "billable_entity_id, action, flow, client_idempotency_key, request_fingerprint_hash, "
        "normalized_request_json, operation_key, provider, provider_idempotency_key, status, "
        "response_status, response_body, lease_version, created_at, updated_at"
    )
    async with admin_connection(database.admin_url(DATABASE_NAME)) as connection:
        await run_sql(connection, "create table bench_numbers (n int primary key)")
        digits = " union all ".join(f"select {n} as d" for n in range(10))
        await run_sql(
            connection,
            f"insert into bench_numbers select a.d + 10 * b.d + 100 * c.d from ({digits}) a, "
            f"({digits}) b, ({digits}) c",
        )
        for thousand in range(rows // _DOUBLINGS_FROM):
            await run_sql(
                connection,
                f"insert into billing_request_idempotency ({columns}) select billable_entity_id, "
                f"action, flow, concat('old-{thousand}-', n), request_fingerprint_hash, "
                f"normalized_request_json, sha2(concat('{thousand}-', n), 256), provider, "
                f"concat('old-{thousand}-', n), status, response_status, response_body, "
                "lease_version, created_at, updated_at from bench_numbers, "
                "(select * from billing_request_idempotency where status = 'succeeded' "
                "order by id limit 1) as one_row",
            )
        await run_sql(connection, "drop table bench_numbers")


async def run(stack: WholeStack, database: MariaDbServer, *, rounds: int, count: int) -> list[Road]:
    roads: list[Road] = []
    await as_in_production(stack)
    for setting in SETTINGS:
        roads += await measure(stack, setting, rounds=rounds, count=count)
    await slow_down(stack, 0)
    few = await replay(stack, "replay, few old intents", rounds=rounds, count=count)
    few.is_limit = True
    await grow(database, OLD_ROWS)
    many = await replay(stack, f"replay, {OLD_ROWS} old", rounds=rounds, count=count)
    many.limit = few
    roads += [few, many]
    full = await measure(stack, Setting(8, 0), rounds=rounds, count=count)
    full[0].name += f", {OLD_ROWS} old"
    return roads + full


def main(*, rounds: int, count: int, folder: Path) -> None:
    libs = fetch_kafka_jars(default_cache_dir(), say=print)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as home:
        database = MariaDbServer(Path(home) / "database", free_port())
        kafka = KafkaServer(Path(home) / "kafka", free_port(), free_port(), libs)
        (Path(home) / "stack").mkdir()
        stack = WholeStack(database=database, kafka=kafka, home=Path(home) / "stack")
        try:
            stack.start()
            print(f"{database.description}; {kafka.description}")
            roads = asyncio.run(run(stack, database, rounds=rounds, count=count))
        finally:
            stack.stop()
    report("Writes: checkouts by clients and by Stripe's time", roads, folder=folder)
