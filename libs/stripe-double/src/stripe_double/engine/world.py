"""A whole Stripe account in one object: state, time, ids, ledger, faults, and who delivers."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import structlog

from stripe_double.engine.attempts import Render
from stripe_double.engine.clock import Clock
from stripe_double.engine.deadlines import Deadline, Deadlines
from stripe_double.engine.delivery import COLLECTION, Courier, CourierSettings
from stripe_double.engine.errors import ApiError
from stripe_double.engine.fault_script import FaultScript
from stripe_double.engine.faults import Fault
from stripe_double.engine.idempotency import IdempotencyLayer
from stripe_double.engine.ids import Ids
from stripe_double.engine.ledger import Ledger
from stripe_double.engine.persistence import Change, Persistence
from stripe_double.engine.rate_limits import RateLimiter, RateLimits
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.snapshots import document_of, ids_of
from stripe_double.engine.store import Store
from stripe_double.engine.transactions import (
    STRIPE_ITSELF,
    Origin,
    Transaction,
    TransactionOptions,
)
from stripe_double.engine.webhook_faults import (
    WebhookFault,
    WebhookFaultKind,
    WebhookSwitches,
    delivery_after,
)

log = structlog.get_logger("stripe_double")


class World:
    """The engine put together. Not thread-safe: everything happens in one event loop."""

    def __init__(
        self,
        *,
        persistence: Persistence,
        clock: Clock,
        seed: str | None,
        options: TransactionOptions,
        courier: CourierSettings,
        deadlines: Mapping[str, Deadline],
        render: Render,
        rate_limits: RateLimits,
    ) -> None:
        self.clock = clock
        self.options = options
        self.before_commit: tuple[Callable[[Transaction], None], ...] = ()
        self._persistence = persistence
        self._open = False
        self._moved = asyncio.Event()
        stored_ids = persistence.meta("ids")
        self.ids = Ids(
            seed or (stored_ids or {}).get("seed") or secrets.token_hex(16),
            counters=(stored_ids or {}).get("counters"),
        )
        self.faults = FaultScript(Fault, lambda: self.ids.draw("fault"))
        self.webhook_faults = FaultScript(WebhookFault, lambda: self.ids.draw("webhook_fault"))
        self.rates = RateLimiter(rate_limits)
        self.store = Store()
        self.ledger = Ledger()
        self.deadlines = Deadlines(deadlines)
        self.idempotency = IdempotencyLayer(self.store)
        self.store.observer = self.deadlines.observe
        self.courier = Courier(
            store=self.store,
            clock=clock,
            settings=courier,
            record_attempt=self._record_attempt,
            render=render,
            draw=lambda: self.ids.draw("shuffle"),
        )
        self._load()

    def _load(self) -> None:
        stored_clock = self._persistence.meta("clock")
        if stored_clock is not None:
            self.clock.resume(**stored_clock)
        stored_faults = self._persistence.meta("faults")
        if stored_faults is not None:
            self.load_faults(stored_faults)
        self.store.load(self._persistence.objects())
        self.ledger.load(self._persistence.ledger())
        self._accept_deliveries()

    @contextmanager
    def transaction(
        self, origin: Origin = STRIPE_ITSELF, *, now: int | None = None
    ) -> Iterator[Transaction]:
        """All or nothing: durable when the block ends, undone when it raises."""
        if self._open:
            message = "transactions do not nest"
            raise RuntimeError(message)
        tx = Transaction(
            store=self.store,
            ids=self.ids,
            ledger=self.ledger,
            origin=origin,
            now=self.clock.now if now is None else now,
            options=self.options,
        )
        self._open = True
        try:
            yield tx
            for follow in self.before_commit:
                follow(tx)
            deliveries = [self._plan(delivery_id) for delivery_id in tx.new_deliveries]
            self._persistence.write(self.store.changes(), self.ledger.pending(), self._meta())
        except BaseException:
            self.store.undo()
            self.ledger.undo()
            raise
        else:
            self.store.seal()
            self.ledger.seal()
        finally:
            self._open = False
        for delivery in deliveries:
            if delivery["state"] == "pending":
                self.courier.accept(delivery)

    def run_due(self) -> None:
        """Let everything happen that the clock has made due, each at its own second."""
        while (entry := self.deadlines.pop_due(self.clock.now)) is not None:
            due, collection, object_id = entry
            record = self.store.find(collection, object_id)
            if record is not None and self.deadlines.is_current(collection, record, due):
                self._let_happen(collection, record, due)

    def _let_happen(self, collection: str, record: Record, due: int) -> None:
        """A deadline is nobody's request: what it may not do concerns no caller, and is noted."""
        try:
            with self.transaction(now=due) as tx:
                self.deadlines.act(tx, collection, record)
        except ApiError as error:
            log.error("double.deadline_refused", object_id=record["id"], reason=error.message)
            with self.transaction() as tx:
                tx.ledger.append(
                    "control", tx.now, action="deadline_refused", object=record["id"], due=due
                )

    def advance(self, seconds: float) -> None:
        """Move the clock forward and let all that falls due happen, in order."""
        target = self.clock.now_exact + seconds
        while (due := self.deadlines.next_due()) is not None and due <= target:
            self.clock.advance(max(0.0, due - self.clock.now_exact))
            self.run_due()
        self.clock.advance(max(0.0, target - self.clock.now_exact))
        with self.transaction() as tx:
            tx.ledger.append("control", tx.now, action="clock_advanced", seconds=seconds)
        self._moved.set()
        self.courier.wake()

    async def wait_until(self, virtual_seconds: float) -> None:
        """Return when the double's clock shows this instant."""
        while (missing_seconds := virtual_seconds - self.clock.now_exact) > 0:
            self._moved.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(missing_seconds if self.clock.ticking else None):
                    await self._moved.wait()

    async def keep_time(self) -> None:
        """Let deadlines happen on time, until cancelled."""
        while True:
            self.run_due()
            await asyncio.sleep(0.2)

    def reset(self, *, seed: str | None = None) -> None:
        """Forget every object, event, ledger entry and fault; ids and clock start again."""
        self._persistence.clear()
        self._forget()
        self.clock.restart()
        self._moved.set()
        self.ids = Ids(seed or self.ids.seed)

    def document(self) -> JsonObject:
        """Everything that the seed and the requests made, as `put_back` takes it."""
        return document_of(
            ids=self.ids,
            now=self.clock.now_exact,
            faults=self.stored_faults(),
            objects=self.store.rows(),
            ledger=self.ledger.entries(),
        )

    def put_back(self, document: JsonObject) -> None:
        """Become the world of a document (see `engine.snapshots`), whole or not at all.

        A document with something missing or wrong: KeyError, TypeError or ValueError.
        """
        rows = [Change(*row) for row in document["objects"]]
        ids = ids_of(document)
        self._check_faults(document["faults"])
        clock = Clock(document["now"], ticking=self.clock.ticking)
        meta = {
            "ids": {"seed": ids.seed, "counters": ids.counters},
            "clock": dict(clock.stored()),
            "faults": document["faults"],
        }
        self._persistence.replace(rows, document["ledger"], meta)
        self._forget()
        self.ids = ids
        self.clock.set_to(document["now"])
        self.load_faults(document["faults"])
        self.store.load((row.collection, row.id, row.position, row.record) for row in rows)
        self.ledger.load(document["ledger"])
        self._accept_deliveries()
        self._moved.set()

    def refuse_rate(self, method: str, operation: str) -> str | None:
        """Which rate limit a request hits, if any; one that hits none counts."""
        is_virtual = self.rates.limits.is_virtual
        now = self.clock.now_exact if is_virtual else time.monotonic()
        return self.rates.refuse(method, operation, now)

    def stored_faults(self) -> JsonObject:
        """Every fault still to come, as `load_faults` takes it."""
        return {
            "api": self.faults.stored(),
            "webhooks": self.webhook_faults.stored(),
            "switches": self.courier.switches.stored(),
        }

    def load_faults(self, stored: JsonObject) -> None:
        """Have these faults to come, and no others."""
        self.faults.load(stored["api"])
        self.webhook_faults.load(stored["webhooks"])
        self.courier.switches = WebhookSwitches(**stored["switches"])

    def deliveries_before_reply(self, delivery_ids: Sequence[str]) -> list[str]:
        """Those that a fault lets go before the answer to the request that caused them."""
        return [
            delivery_id
            for delivery_id in delivery_ids
            if (delivery := self.store.find(COLLECTION, delivery_id)) is not None
            and delivery.get("fault", {}).get("kind") == WebhookFaultKind.BEFORE_REPLY
        ]

    def close(self) -> None:
        """Release the storage."""
        self._persistence.close()

    @staticmethod
    def _check_faults(stored: JsonObject) -> None:
        FaultScript(Fault, float).load(stored["api"])
        FaultScript(WebhookFault, float).load(stored["webhooks"])
        WebhookSwitches(**stored["switches"])

    def _forget(self) -> None:
        self.faults.clear()
        self.webhook_faults.clear()
        self.courier.forget()
        self.deadlines.clear()
        self.rates.forget()
        self.store.clear()
        self.ledger.clear()

    def _accept_deliveries(self) -> None:
        for delivery in self.store.oldest(COLLECTION):
            if delivery["state"] == "pending":
                self.courier.accept(delivery)

    def _meta(self) -> dict[str, JsonObject]:
        meta: dict[str, JsonObject] = {
            "ids": {"seed": self.ids.seed, "counters": self.ids.counters},
            "clock": dict(self.clock.stored()),
        }
        scripts = (self.faults, self.webhook_faults, self.courier.switches)
        if any(script.dirty for script in scripts):
            meta["faults"] = self.stored_faults()
            for script in scripts:
                script.dirty = False
        return meta

    def _plan(self, delivery_id: str) -> Record:
        """The new delivery with the fault that befalls it, if any does."""
        delivery = self.store.find(COLLECTION, delivery_id) or {}
        event = self.store.find("event", delivery["event"]) or {}
        endpoint: str = delivery["endpoint"]
        fault = self.webhook_faults.take(lambda f: f.suits(event["type"], endpoint))
        if fault is None:
            return delivery
        after = delivery_after(dict(delivery), fault)
        self.store.put(COLLECTION, after)
        self.ledger.append(
            "delivery",
            self.clock.now,
            event=event["id"],
            event_type=event["type"],
            endpoint=endpoint,
            attempt=0,
            outcome="spoiled",
            fault=fault.kind,
        )
        return after

    def _record_attempt(self, delivery: JsonObject, attempt: JsonObject) -> None:
        with self.transaction() as tx:
            tx.keep(COLLECTION, delivery)
            event = tx.store.find("event", delivery["event"])
            tx.ledger.append(
                "delivery",
                tx.now,
                event=delivery["event"],
                event_type=None if event is None else event["type"],
                endpoint=delivery["endpoint"],
                **attempt,
            )
