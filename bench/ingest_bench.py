"""webhook-ingest against its two limits: verify and answer without Kafka; produce without HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.events import body_of, customer_id, event
from bench.http_load import send_all
from bench.measurement import Road, report
from bench.servers import running_kafka
from billing_common.contracts.topics import STRIPE_EVENTS
from billing_common.messaging.producer import DurableProducer
from billing_common.messaging.topics_admin import ensure_topics
from holdfast_cli.servers import KafkaServer, free_port

SECRET = "whsec_benchmark_of_this_run_only"
CONNECTIONS = 64


def signed_requests(count: int, *, salt: str, path: str) -> list[bytes]:
    made = []
    for number in range(count):
        body = body_of(event(number, salt=salt))
        at = int(datetime.now(UTC).timestamp())
        digest = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        made.append(
            (
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"Stripe-Signature: t={at},v1={digest}\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode()
            + body
        )
    return made


@contextmanager
def running(arguments: Sequence[str], environment: dict[str, str], port: int) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], env={**os.environ, **environment}
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{arguments[0]} did not start") from None
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)


async def produce(kafka: KafkaServer, count: int, *, salt: str) -> float:
    bodies = [body_of(event(number, salt=salt)) for number in range(count)]
    producer = DurableProducer(kafka.bootstrap_servers, client_id="bench")
    await producer.start()
    slots = asyncio.Semaphore(CONNECTIONS)

    async def one(number: int) -> None:
        async with slots:
            await producer.send(
                STRIPE_EVENTS.name,
                key=customer_id(number).encode(),
                value=bodies[number],
                timeout_seconds=20,
            )

    started = time.perf_counter()
    await asyncio.gather(*map(one, range(count)))
    elapsed = time.perf_counter() - started
    await producer.stop()
    return count / elapsed


async def run(*, rounds: int, count: int, folder: Path) -> None:
    ours = Road(f"webhook-ingest, {CONNECTIONS} connections")
    http = Road("verify and answer, no Kafka", is_limit=True)
    log = Road(f"produce acks=all, {CONNECTIONS} at once, no HTTP", is_limit=True)
    with running_kafka() as kafka:
        await ensure_topics(kafka.bootstrap_servers)
        ingest_port, bare_port = free_port(), free_port()
        ingest = {
            "BILLING_ENVIRONMENT": "test",
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "HTTP_PORT": str(ingest_port),
            "BILLING_STRIPE_WEBHOOK_SECRETS": SECRET,
            "BILLING_STRIPE_LIVEMODE": "false",
        }
        bare = ["uvicorn", "bench.bare_endpoint:app", "--port", str(bare_port), "--no-access-log"]
        with (
            running(["webhook_ingest"], ingest, ingest_port),
            running(bare, {"BENCH_WEBHOOK_SECRET": SECRET}, bare_port),
        ):
            for number in range(rounds + 1):
                salt = f"i{number}"
                rates = (
                    await send_all(
                        signed_requests(count, salt=salt, path="/webhooks/stripe"),
                        port=ingest_port,
                        connections=CONNECTIONS,
                    ),
                    await send_all(
                        signed_requests(count, salt=salt, path="/"),
                        port=bare_port,
                        connections=CONNECTIONS,
                    ),
                    await produce(kafka, count, salt=salt),
                )
                if number:  # the first round warms up
                    for road, rate in zip((ours, http, log), rates, strict=True):
                        road.rates.append(rate)
    report(f"Ingest: {count} signed events of 5 to 6 KB", [ours, http, log], folder=folder)


def main(*, rounds: int, count: int, folder: Path) -> None:
    asyncio.run(run(rounds=rounds, count=count, folder=folder))
