"""`python -m bench.double_memory [COUNT]`: that many open sessions in one double, in this process.

Prints JSON: resident memory before and after, and how long reads take then.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from bench.double_calls import ask, new_double, price_of, session_form


def resident_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS in /proc/self/status")


async def milliseconds(app: Any, path: str, *, times: int = 50) -> float:
    """The median of an answer's time."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await ask(app, "GET", path)
        taken.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(taken), 3)


async def measure(count: int) -> dict[str, Any]:
    double = new_double()
    app = double.asgi_app
    form = session_form(await price_of(app))
    sessions = [(await ask(app, "POST", "/v1/checkout/sessions", form))["id"] for _ in range(10)]
    before = resident_bytes()
    started = time.perf_counter()
    for _ in range(count):
        await ask(app, "POST", "/v1/checkout/sessions", form)
    elapsed = time.perf_counter() - started
    after = resident_bytes()
    customer = (await ask(app, "POST", "/v1/customers", b"name=Ada"))["id"]
    return {
        "sessions": count,
        "rss_before_bytes": before,
        "rss_after_bytes": after,
        "rss_per_session_bytes": (after - before) // count,
        "creates_per_second": round(count / elapsed),
        "retrieve_ms": await milliseconds(app, f"/v1/checkout/sessions/{sessions[0]}"),
        "list_100_ms": await milliseconds(app, "/v1/checkout/sessions?limit=100"),
        "list_of_a_customer_ms": await milliseconds(
            app, f"/v1/checkout/sessions?customer={customer}"
        ),
    }


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(json.dumps(asyncio.run(measure(count)), indent=2))


if __name__ == "__main__":
    main()
