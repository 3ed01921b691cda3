"""A checkout through the whole stack, up to the URL, against two limits of the same run.

The floor is an idempotent write with FastAPI and SQLAlchemy that calls nobody. The other limit is
the double's own time for the calls that a first checkout makes (a customer, a session).
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from tests.fixtures.schema_template import admin_connection, run_sql
from tests.fixtures.stack_processes import DOUBLE, WholeStack
from tests.stack.market import Market, market

from bench.ingest_bench import running
from bench.measurement import Road, report
from billing_common.domain.canonical_json import canonical_json
from billing_common.stripe_api.client import StripeProvider
from billing_common.stripe_api.port import Answer
from holdfast_cli.environment import DATABASE_NAME
from holdfast_cli.servers import KafkaServer, MariaDbServer, free_port
from holdfast_cli.servers.install import default_cache_dir, fetch_kafka_jars

CONNECTIONS = 16


async def timed(
    count: int, one: Callable[[int], Awaitable[None]], *, at_once: int = CONNECTIONS
) -> tuple[float, list[float]]:
    """Calls per second, so many at once, and each call's seconds."""
    slots = asyncio.Semaphore(at_once)
    seconds: list[float] = []

    async def call(number: int) -> None:
        async with slots:
            started = time.perf_counter()
            await one(number)
            seconds.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*map(call, range(count)))
    return count / (time.perf_counter() - started), seconds


async def through_the_stack(shop: Market, count: int) -> tuple[float, list[float]]:
    buyers = await shop.buyers(count)

    async def one(number: int) -> None:
        answer = await shop.ask(buyers[number], key=secrets.token_hex(8))
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.status_code} {answer.text}")

    return await timed(count, one)


async def at_the_double(
    stack: WholeStack, price: str, count: int, *, at_once: int = CONNECTIONS
) -> tuple[float, list[float]]:
    provider = StripeProvider(
        secret_key=stack.stripe_secret_key,
        api_version="2026-10-28.endive",
        timeout_seconds=20,
        base_url=stack.url_of(DOUBLE),
    )
    run = secrets.token_hex(6)

    async def one(number: int) -> None:
        customer = await provider.create_customer({}, idempotency_key=f"c{run}{number}")
        assert isinstance(customer, Answer), customer
        session = await provider.create_checkout_session(
            canonical_json(
                {
                    "mode": "subscription",
                    "customer": customer.value.id,
                    "line_items": [{"price": price, "quantity": 1}],
                    "success_url": "http://localhost/ok",
                    "cancel_url": "http://localhost/no",
                }
            ),
            idempotency_key=f"s{run}{number}",
        )
        assert isinstance(session, Answer), session

    measured = await timed(count, one, at_once=at_once)
    await provider.close()
    return measured


async def at_the_floor(port: int, count: int) -> tuple[float, list[float]]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:

        async def one(_number: int) -> None:
            answer = await http.post(
                "/checkout",
                json={"planCode": "starter"},
                headers={"Idempotency-Key": secrets.token_hex(8)},
            )
            answer.raise_for_status()

        return await timed(count, one)


@asynccontextmanager
async def floor(database: MariaDbServer) -> AsyncIterator[int]:
    async with admin_connection(database.admin_url()) as connection:
        await run_sql(connection, "create database bench_floor")
    async with admin_connection(database.admin_url("bench_floor")) as connection:
        await run_sql(
            connection,
            "create table bench_keys (id bigint auto_increment primary key, "
            "client_key varbinary(191) not null unique, state varchar(16) not null)",
        )
        await run_sql(
            connection,
            "create table bench_sessions (id bigint auto_increment primary key, "
            "key_id bigint not null unique, plan varchar(64) not null)",
        )
    port = free_port()
    arguments = ["uvicorn", "bench.floor_app:app", "--port", str(port), "--log-level", "warning"]
    with running(arguments, {"BENCH_DATABASE_URL": database.admin_url("bench_floor")}, port):
        yield port


async def run(stack: WholeStack, database: MariaDbServer, *, rounds: int, count: int) -> list[Road]:
    ours = Road(f"POST /api/billing/checkout, {CONNECTIONS} at once")
    bare = Road("idempotent write, FastAPI + SQLAlchemy", is_limit=True)
    double = Road("the double alone: customer + session", is_limit=True)
    latencies: dict[str, list[float]] = {"ours": [], "double": []}
    price = (await stack.rows("select provider_price_id from billing_plan_prices limit 1"))[0][0]
    async with floor(database) as port:
        for number in range(rounds + 1):
            async with market(stack) as shop:  # other buyers every round
                whole, whole_seconds = await through_the_stack(shop, count)
            alone, alone_seconds = await at_the_double(
                stack, price.decode() if isinstance(price, bytes) else price, count
            )
            least, _ = await at_the_floor(port, count)
            if number:  # the first round warms up
                ours.rates.append(whole)
                double.rates.append(alone)
                bare.rates.append(least)
                latencies["ours"] += whole_seconds
                latencies["double"] += alone_seconds
    for name, seconds in latencies.items():
        print(f"  {name}: p50 {statistics.median(seconds) * 1000:.1f} ms at {CONNECTIONS} at once")
    return [ours, bare, double]


def main(*, rounds: int, count: int, folder: Path) -> None:
    libs = fetch_kafka_jars(default_cache_dir(), say=print)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as home:
        database = MariaDbServer(Path(home) / "database", free_port())
        kafka = KafkaServer(Path(home) / "kafka", free_port(), free_port(), libs)
        (Path(home) / "stack").mkdir()
        stack = WholeStack(database=database, kafka=kafka, home=Path(home) / "stack")
        try:
            stack.start()
            print(f"{database.description}; {kafka.description}; database {DATABASE_NAME}")
            roads = asyncio.run(run(stack, database, rounds=rounds, count=count))
        finally:
            stack.stop()
    report(f"Checkout: {count} first checkouts per round", roads, folder=folder)
