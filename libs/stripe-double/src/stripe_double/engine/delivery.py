"""The courier: sends events to webhook endpoints after commit, retries, and keeps account.

A delivery is one event for one endpoint: pending -> succeeded | failed (retries used up). Its
first attempt is due at once, each retry after the next step of the schedule, in seconds of the
double's clock. Every attempt is signed anew with the real time, because the receiver compares the
signature's age with its own clock.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from stripe_double.engine.clock import Clock
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.signing import sign
from stripe_double.engine.store import Store

COLLECTION = "delivery"
SECRETS = "endpoint_secret"


@dataclass
class WebhookFaults:
    """What goes wrong with webhooks. Counters count attempts still to be spoiled."""

    hold: bool = False
    shuffle: bool = False
    duplicate: int = 0
    drop_next: int = 0
    bad_signature_next: int = 0
    stale_timestamp_next: int = 0
    overrides: JsonObject = field(default_factory=dict)

    def spend(self, counter: str) -> bool:
        """Use one of a counter, if any is left."""
        left: int = getattr(self, counter)
        if left <= 0:
            return False
        setattr(self, counter, left - 1)
        return True


@dataclass(frozen=True, slots=True)
class CourierSettings:
    """`retry_seconds`: wait before each retry; a delivery has one attempt more than its length."""

    retry_seconds: tuple[float, ...]
    timeout_seconds: float
    concurrency: int


class Bookkeeper(Protocol):
    """Stores the outcome of an attempt, durably."""

    def __call__(self, delivery: JsonObject, attempt: JsonObject) -> None: ...


class Courier:
    """Sends what is due. Lives in one event loop, from `run` until it is cancelled."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        settings: CourierSettings,
        record_attempt: Bookkeeper,
        seed: str,
    ) -> None:
        self.faults = WebhookFaults()
        self._store = store
        self._clock = clock
        self._settings = settings
        self._record_attempt = record_attempt
        self._random = random.Random(seed)  # noqa: S311  (reproducible disorder, not a secret)
        self._queue: list[tuple[float, int, str]] = []
        self._count = 0
        self._in_flight = 0
        self._generation = 0
        self._wake = asyncio.Event()

    def enqueue(self, delivery_id: str, due_at: float) -> None:
        """Plan an attempt. Call from the courier's own event loop, or before it runs."""
        self._count += 1
        heapq.heappush(self._queue, (due_at, self._count, delivery_id))
        self._wake.set()

    def wake(self) -> None:
        """Look at the queue again: the clock jumped or a hold ended."""
        self._wake.set()

    def forget(self) -> None:
        """Drop the queue and every webhook fault; what is under way belongs to nobody."""
        self._queue.clear()
        self._generation += 1
        self.faults = WebhookFaults()

    @property
    def idle(self) -> bool:
        """Nothing is due and nothing is being sent."""
        return self._in_flight == 0 and not self._due_now()

    async def run(self) -> None:
        """Send until cancelled."""
        limits = httpx.Limits(
            max_connections=self._settings.concurrency,
            max_keepalive_connections=self._settings.concurrency,
        )
        slots = asyncio.Semaphore(self._settings.concurrency)
        timeout = httpx.Timeout(self._settings.timeout_seconds)
        async with (
            httpx.AsyncClient(limits=limits, timeout=timeout, trust_env=False) as client,
            asyncio.TaskGroup() as group,
        ):
            while True:
                self._wake.clear()
                for delivery_id in self._take_due():
                    await slots.acquire()
                    self._in_flight += 1
                    group.create_task(self._send(client, delivery_id, slots.release))
                await self._sleep()

    def _due_now(self) -> bool:
        return (
            not self.faults.hold
            and bool(self._queue)
            and self._queue[0][0] <= self._clock.now_exact
        )

    def _take_due(self) -> list[str]:
        taken = []
        while self._due_now():
            taken.append(heapq.heappop(self._queue)[2])
        if self.faults.shuffle:
            self._random.shuffle(taken)
        return taken

    async def _sleep(self) -> None:
        wait_seconds = None
        if self._queue and not self.faults.hold and self._clock.ticking:
            wait_seconds = max(0.0, self._queue[0][0] - self._clock.now_exact)
        try:
            async with asyncio.timeout(wait_seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _send(
        self, client: httpx.AsyncClient, delivery_id: str, done: Callable[[], None]
    ) -> None:
        generation = self._generation
        try:
            delivery = self._store.find(COLLECTION, delivery_id)
            if delivery is None:
                return
            event = self._store.find("event", delivery["event"])
            endpoint = self._store.find("webhook_endpoint", delivery["endpoint"])
            if event is None or endpoint is None or endpoint.get("deleted"):
                return
            attempt = await self._attempt(client, event, endpoint)
            self._settle(delivery_id, attempt, generation)
            for _ in range(self.faults.duplicate if attempt["outcome"] == "succeeded" else 0):
                copy = await self._attempt(client, event, endpoint)
                self._settle(delivery_id, {**copy, "duplicate": True}, generation)
        finally:
            self._in_flight -= 1
            done()

    async def _attempt(
        self, client: httpx.AsyncClient, event: Record, endpoint: Record
    ) -> JsonObject:
        if self.faults.spend("drop_next"):
            return {"outcome": "failed", "http_status": None, "error": "dropped by a fault"}
        body = json.dumps({**event, **self.faults.overrides}, indent=2).encode()
        timestamp = time.time_ns() // 1_000_000_000
        if self.faults.spend("stale_timestamp_next"):
            timestamp -= 3600
        secrets = self.signing_secrets(endpoint["id"])
        if self.faults.spend("bad_signature_next"):
            secrets = ["whsec_not_the_secret_of_this_endpoint"]
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "stripe-signature": sign(body, secrets, timestamp),
        }
        try:
            answer = await client.post(endpoint["url"], content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            kind = "timeout" if isinstance(error, httpx.TimeoutException) else "connection"
            return {
                "outcome": "failed",
                "http_status": None,
                "error": f"{kind}: {type(error).__name__}",
            }
        succeeded = 200 <= answer.status_code < 300
        return {
            "outcome": "succeeded" if succeeded else "failed",
            "http_status": answer.status_code,
            "error": None if succeeded else "not a 2xx answer",
        }

    def signing_secrets(self, endpoint_id: str) -> list[str]:
        """The secrets that sign for this endpoint now: two while a rotation lasts."""
        kept = self._store.find(SECRETS, endpoint_id)
        return [] if kept is None else list(kept["secrets"])

    def _settle(self, delivery_id: str, attempt: dict[str, Any], generation: int) -> None:
        delivery = self._store.find(COLLECTION, delivery_id)
        if delivery is None or generation != self._generation:
            return
        attempts = delivery["attempts"] + 1
        state, due_at = delivery["state"], delivery["due_at"]
        if attempt["outcome"] == "succeeded":
            state = "succeeded"
        elif state == "pending":
            if attempts > len(self._settings.retry_seconds):
                state = "failed"
            else:
                due_at = self._clock.now_exact + self._settings.retry_seconds[attempts - 1]
        after = {**delivery, "attempts": attempts, "state": state, "due_at": due_at}
        self._record_attempt(after, {"attempt": attempts, **attempt})
        if state == "pending":
            self.enqueue(delivery_id, due_at)
