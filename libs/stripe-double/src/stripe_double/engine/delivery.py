"""The courier: sends events to webhook endpoints after commit, retries, and keeps account.

A delivery is one event for one endpoint: pending -> succeeded | failed (retries used up) | lost (by
a fault). Its first attempt is due at once, each retry after the next step of the schedule, in
seconds of the double's clock.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from stripe_double.engine.attempts import Parcel, Render, attempt
from stripe_double.engine.clock import Clock
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.reordering import COLLECTION, is_held_back
from stripe_double.engine.store import Store
from stripe_double.engine.transactions import ENDPOINTS
from stripe_double.engine.webhook_faults import WebhookSwitches

SECRETS = "endpoint_secret"
__all__ = ["COLLECTION", "SECRETS", "Courier", "CourierSettings", "find_endpoint"]


@dataclass(frozen=True, slots=True)
class CourierSettings:
    """`retry_seconds`: wait before each retry; a delivery has one attempt more than its length.

    `transport` replaces the network, for tests without sockets.
    """

    retry_seconds: tuple[float, ...]
    timeout_seconds: float
    concurrency: int
    transport: httpx.AsyncBaseTransport | None = None


class Bookkeeper(Protocol):
    """Stores the outcome of an attempt, durably."""

    def __call__(self, delivery: JsonObject, attempt: JsonObject) -> None: ...


class Courier:
    """Sends what is due: by itself from `run` until it is cancelled, or when `send_due` asks."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        settings: CourierSettings,
        record_attempt: Bookkeeper,
        render: Render,
        draw: Callable[[], float],
    ) -> None:
        self.switches = WebhookSwitches()
        self._store = store
        self._clock = clock
        self._settings = settings
        self._record_attempt = record_attempt
        self._render = render
        self._draw = draw
        self._queue: list[tuple[float, int, str, bool]] = []
        self._held_back: dict[str, set[str]] = {}
        self._waiters: dict[str, asyncio.Event] = {}
        self._in_flight = 0
        self._generation = 0
        self._running = False
        self._wake = asyncio.Event()

    def accept(self, delivery: Record) -> None:
        """Plan the next attempt of a pending delivery, new or loaded."""
        if is_held_back(self._store, delivery):
            self._held_back.setdefault(delivery["endpoint"], set()).add(delivery["id"])
            last_date = delivery["due_at"] + delivery["fault"]["delay_seconds"]
            self.enqueue(delivery["id"], last_date, was_held_back=True)
        else:
            self.enqueue(delivery["id"], delivery["due_at"])

    def enqueue(self, delivery_id: str, due_at: float, *, was_held_back: bool = False) -> None:
        """Plan an attempt. Call from the courier's own event loop, or before it runs."""
        place = self._store.position(COLLECTION, delivery_id)
        heapq.heappush(self._queue, (due_at, place, delivery_id, was_held_back))
        self._wake.set()

    def wake(self) -> None:
        """Look at the queue again: the clock jumped or a hold ended."""
        self._wake.set()

    def forget(self) -> None:
        """Drop the queue and every webhook fault; what is under way belongs to nobody."""
        self._queue.clear()
        self._held_back.clear()
        self._generation += 1
        self.switches = WebhookSwitches()
        for waiter in self._waiters.values():
            waiter.set()

    @property
    def idle(self) -> bool:
        """Nothing is due and nothing is being sent."""
        return self._in_flight == 0 and not self._due_now()

    async def run(self) -> None:
        """Send until cancelled."""
        slots = asyncio.Semaphore(self._settings.concurrency)
        self._running = True
        try:
            async with self._client() as client, asyncio.TaskGroup() as group:
                while True:
                    self._wake.clear()
                    for delivery_id in self._take_due():
                        await slots.acquire()
                        self._in_flight += 1
                        group.create_task(self._send(client, delivery_id, slots.release))
                    await self._sleep()
        finally:
            self._running = False

    async def send_due(self) -> int:
        """Without `run`: send all that is due, one after the other. How many attempts."""
        count = 0
        async with self._client() as client:
            while taken := self._take_due():
                for delivery_id in taken:
                    count += 1
                    self._in_flight += 1
                    await self._send(client, delivery_id, lambda: None)
        return count

    async def first_attempts(self, delivery_ids: Iterable[str]) -> None:
        """Return when each delivery was attempted, or is held up for longer than an attempt."""
        if not self._running:
            await self.send_due()
            return
        for delivery_id in delivery_ids:
            delivery = self._store.find(COLLECTION, delivery_id)
            if delivery is None or delivery["attempts"] or not self._may_go(delivery):
                continue
            waiter = self._waiters.setdefault(delivery_id, asyncio.Event())
            try:
                async with asyncio.timeout(self._settings.timeout_seconds + 1):
                    await waiter.wait()
            except TimeoutError:
                continue
            finally:
                self._waiters.pop(delivery_id, None)

    def _may_go(self, delivery: Record) -> bool:
        is_due = bool(delivery["due_at"] <= self._clock.now_exact)
        return delivery["state"] == "pending" and is_due and not self.switches.hold

    def signing_secrets(self, endpoint_id: str) -> list[str]:
        """The secrets that sign for this endpoint now: two while a rotation lasts."""
        kept = self._store.find(SECRETS, endpoint_id)
        if kept is None:
            return []
        ends_at = kept.get("rotation_ends_at")
        if ends_at is not None and self._clock.now >= ends_at:
            return list(kept["secrets"][:1])
        return list(kept["secrets"])

    def _client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(
            max_connections=self._settings.concurrency,
            max_keepalive_connections=self._settings.concurrency,
        )
        timeout = httpx.Timeout(self._settings.timeout_seconds)
        return httpx.AsyncClient(
            limits=limits, timeout=timeout, trust_env=False, transport=self._settings.transport
        )

    def _due_now(self) -> bool:
        return (
            not self.switches.hold
            and bool(self._queue)
            and self._queue[0][0] <= self._clock.now_exact
        )

    def _take_due(self) -> list[str]:
        taken = []
        while self._due_now():
            _, _, delivery_id, was_held_back = heapq.heappop(self._queue)
            if not was_held_back or self._let_go(delivery_id):
                taken.append(delivery_id)
        if self.switches.shuffle:
            taken.sort(key=lambda _: self._draw())
        return taken

    def _let_go(self, delivery_id: str) -> bool:
        """It is held back no longer. Whether it still was."""
        for held in self._held_back.values():
            if delivery_id in held:
                held.remove(delivery_id)
                return True
        return False

    async def _sleep(self) -> None:
        wait_seconds = None
        if self._queue and not self.switches.hold and self._clock.ticking:
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
            parcel = self._parcel(delivery)
            if parcel is None:
                self._give_up(delivery)
                return
            outcome = await attempt(client, parcel, self.switches, self._render)
            self._settle(delivery_id, outcome, generation)
            if outcome["outcome"] == "succeeded":
                for _ in range(self.switches.duplicate + parcel.fault.get("copies", 0)):
                    copy = await attempt(client, parcel, self.switches, self._render)
                    self._settle(delivery_id, {**copy, "duplicate": True}, generation)
        finally:
            self._in_flight -= 1
            done()
            if (waiter := self._waiters.get(delivery_id)) is not None:
                waiter.set()

    def _parcel(self, delivery: Record) -> Parcel | None:
        event = self._store.find("event", delivery["event"])
        endpoint = find_endpoint(self._store, delivery["endpoint"])
        if event is None or endpoint is None or not is_open(endpoint):
            return None
        fault = {} if delivery["attempts"] else delivery.get("fault") or {}
        return Parcel(event, endpoint, self.signing_secrets(endpoint["id"]), fault)

    def _give_up(self, delivery: Record) -> None:
        """Nobody takes this event any more: no attempt, now or later."""
        if delivery["state"] == "pending":
            outcome = {"outcome": "failed", "http_status": None, "error": "endpoint is gone"}
            after = {**delivery, "state": "failed"}
            self._record_attempt(after, {"attempt": delivery["attempts"], **outcome})

    def _settle(self, delivery_id: str, outcome: dict[str, Any], generation: int) -> None:
        delivery = self._store.find(COLLECTION, delivery_id)
        if delivery is None or generation != self._generation:
            return
        attempts = delivery["attempts"] + 1
        state, due_at = delivery["state"], delivery["due_at"]
        if outcome["outcome"] == "succeeded":
            state = "succeeded"
        elif state == "pending":
            if attempts > len(self._settings.retry_seconds):
                state = "failed"
            else:
                due_at = self._clock.now_exact + self._settings.retry_seconds[attempts - 1]
        after = {**delivery, "attempts": attempts, "state": state, "due_at": due_at}
        fault = delivery.get("fault", {}).get("kind") if attempts == 1 else None
        self._record_attempt(after, {"attempt": attempts, "fault": fault, **outcome})
        if state == "pending":
            self.enqueue(delivery_id, due_at)
        for held in sorted(self._held_back.get(delivery["endpoint"], ())):
            waiting = self._store.find(COLLECTION, held)
            if waiting is not None and not is_held_back(self._store, waiting):
                self._let_go(held)
                self.enqueue(held, waiting["due_at"])


def is_open(endpoint: Record) -> bool:
    """Whether events may be sent to it."""
    return not endpoint.get("deleted") and endpoint["status"] == "enabled"


def find_endpoint(store: Store, endpoint_id: str) -> Record | None:
    """The webhook endpoint or event destination with this id."""
    return next(
        (found for kind in ENDPOINTS if (found := store.find(kind, endpoint_id)) is not None), None
    )
