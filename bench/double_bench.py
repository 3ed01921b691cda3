"""The Stripe double: simple creates in this process and over HTTP, and many sessions in memory.

In process the limit is what no double can do without: build the object, keep it, write it as JSON.
Over HTTP it is a bare ASGI app on the same server that answers a fixed object.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.double_calls import CUSTOMER_FORM, KEY, ask, new_double, price_of, session_form
from bench.http_load import send_all
from bench.ingest_bench import running
from bench.measurement import Road, machine, report
from holdfast_cli.servers import free_port

CONNECTIONS = 16
SESSIONS = int(os.environ.get("BENCH_DOUBLE_SESSIONS", "100000"))


async def creates_per_second(path: str, form: bytes | None, count: int) -> float:
    double = new_double()
    body = form or session_form(await price_of(double.asgi_app))
    started = time.perf_counter()
    for _ in range(count):
        await ask(double.asgi_app, "POST", path, body)
    return count / (time.perf_counter() - started)


def dict_inserts_per_second(example: Any, count: int) -> float:
    kept: dict[str, Any] = {}
    texts = 0
    started = time.perf_counter()
    for number in range(count):
        record = {**example, "id": f"cus_{number}"}
        kept[record["id"]] = record
        texts += len(json.dumps(record, separators=(",", ":")))
    elapsed = time.perf_counter() - started
    assert len(kept) == count
    assert texts
    return count / elapsed


def in_process(*, rounds: int, count: int, folder: Path) -> None:
    customers = Road("customers.create, in process")
    sessions = Road("checkout.sessions.create, in process")
    limit = Road("dict insert + json.dumps of that customer", is_limit=True)

    async def example() -> Any:
        return await ask(new_double().asgi_app, "POST", "/v1/customers", CUSTOMER_FORM)

    customer = asyncio.run(example())
    for number in range(rounds + 1):
        rates = (
            asyncio.run(creates_per_second("/v1/customers", CUSTOMER_FORM, count)),
            asyncio.run(creates_per_second("/v1/checkout/sessions", None, count)),
            dict_inserts_per_second(customer, count),
        )
        if number:  # the first round warms up
            for road, rate in zip((customers, sessions, limit), rates, strict=True):
                road.rates.append(rate)
    report(
        f"Double in process: {count} creates per round",
        [customers, sessions, limit],
        folder=folder,
    )


def post(port: int, body: bytes) -> bytes:
    head = (
        f"POST /v1/customers HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"authorization: Bearer {KEY}\r\ncontent-type: application/x-www-form-urlencoded\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def over_http(*, rounds: int, count: int, folder: Path) -> None:
    served = Road(f"customers.create over HTTP, {CONNECTIONS} connections")
    limit = Road("a bare ASGI app on the same server", is_limit=True)
    double_port, bare_port = free_port(), free_port()
    double = ["stripe_double", "--port", str(double_port), "--api-keys", KEY, "--seed", "bench"]
    bare = ["uvicorn", "bench.bare_asgi:app", "--port", str(bare_port), "--log-level", "warning"]
    with running(double, {}, double_port), running([*bare, "--no-access-log"], {}, bare_port):
        for number in range(rounds + 1):
            for road, port in ((served, double_port), (limit, bare_port)):
                requests = [post(port, CUSTOMER_FORM)] * count
                rate = asyncio.run(send_all(requests, port=port, connections=CONNECTIONS))
                if number:
                    road.rates.append(rate)
    report(f"Double over HTTP: {count} creates per round", [served, limit], folder=folder)


def in_memory(folder: Path) -> None:
    """In a process of its own, so that nothing else is in its memory."""
    command = [sys.executable, "-m", "bench.double_memory", str(SESSIONS)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1800)
    facts = {"title": f"Double: {SESSIONS} sessions in memory", "machine": machine()}
    facts |= json.loads(answer.stdout)
    print(f"\n{json.dumps(facts, indent=2)}")
    (folder / "double-memory.json").write_text(json.dumps(facts, indent=2) + "\n")


def main(*, rounds: int, count: int, folder: Path) -> None:
    in_process(rounds=rounds, count=count, folder=folder)
    over_http(rounds=rounds, count=count, folder=folder)
    in_memory(folder)
