"""A whole Stripe account in one object: state, time, ids, ledger, faults, and who delivers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from stripe_double.engine.clock import Clock
from stripe_double.engine.deadlines import Deadline, Deadlines
from stripe_double.engine.delivery import COLLECTION, Courier, CourierSettings
from stripe_double.engine.faults import FaultScript
from stripe_double.engine.idempotency import IdempotencyLayer
from stripe_double.engine.ids import Ids
from stripe_double.engine.ledger import Ledger
from stripe_double.engine.persistence import Persistence
from stripe_double.engine.records import JsonObject
from stripe_double.engine.store import Store
from stripe_double.engine.transactions import (
    STRIPE_ITSELF,
    Origin,
    Transaction,
    TransactionOptions,
)


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
    ) -> None:
        self.clock = clock
        self.options = options
        self.faults = FaultScript()
        self._persistence = persistence
        self._open = False
        stored_ids = persistence.meta("ids")
        self.ids = Ids(
            seed or (stored_ids or {}).get("seed") or secrets.token_hex(16),
            counters=(stored_ids or {}).get("counters"),
        )
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
            seed=self.ids.seed,
        )
        self._load()

    def _load(self) -> None:
        stored_clock = self._persistence.meta("clock")
        if stored_clock is not None:
            self.clock.resume(**stored_clock)
        self.store.load(self._persistence.objects())
        self.ledger.load(self._persistence.ledger())
        for delivery in self.store.oldest(COLLECTION):
            if delivery["state"] == "pending":
                self.courier.enqueue(delivery["id"], delivery["due_at"])

    @contextmanager
    def transaction(
        self, origin: Origin = STRIPE_ITSELF, *, now: int | None = None
    ) -> Iterator[Transaction]:
        """All or nothing: durable when the block ends, undone when it raises."""
        if self._open:
            message = "transactions do not nest"
            raise RuntimeError(message)
        self._open = True
        tx = Transaction(
            store=self.store,
            ids=self.ids,
            ledger=self.ledger,
            origin=origin,
            now=self.clock.now if now is None else now,
            options=self.options,
        )
        try:
            yield tx
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
        for delivery_id in tx.new_deliveries:
            self.courier.enqueue(delivery_id, float(tx.now))

    def run_due(self) -> None:
        """Let everything happen that the clock has made due, each at its own second."""
        while (entry := self.deadlines.pop_due(self.clock.now)) is not None:
            due, collection, object_id = entry
            record = self.store.find(collection, object_id)
            if record is not None and self.deadlines.is_current(collection, record, due):
                with self.transaction(now=due) as tx:
                    self.deadlines.act(tx, collection, record)

    def advance(self, seconds: float) -> None:
        """Move the clock forward and let all that falls due happen, in order."""
        target = self.clock.now_exact + seconds
        while (due := self.deadlines.next_due()) is not None and due <= target:
            self.clock.advance(max(0.0, due - self.clock.now_exact))
            self.run_due()
        self.clock.advance(max(0.0, target - self.clock.now_exact))
        with self.transaction() as tx:
            tx.ledger.append("control", tx.now, action="clock_advanced", seconds=seconds)
        self.courier.wake()

    async def keep_time(self) -> None:
        """Let deadlines happen on time, until cancelled."""
        while True:
            self.run_due()
            await asyncio.sleep(0.2)

    def reset(self, *, seed: str | None = None) -> None:
        """Forget every object, event, ledger entry and fault; ids and clock start again."""
        self._persistence.clear()
        self.faults.clear()
        self.courier.forget()
        self.deadlines.clear()
        self.store.clear()
        self.ledger.clear()
        self.clock.restart()
        self.ids = Ids(seed or self.ids.seed)

    def close(self) -> None:
        """Release the storage."""
        self._persistence.close()

    def _meta(self) -> dict[str, JsonObject]:
        return {
            "ids": {"seed": self.ids.seed, "counters": self.ids.counters},
            "clock": dict(self.clock.stored()),
        }

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
