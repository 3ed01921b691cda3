"""Things that happen by the clock alone: expiry, renewal, retry of a failed payment.

A deadline is a pure function of a record. The heap may hold outdated entries: each is checked
against the record when its time comes, so nothing ever has to be cancelled.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stripe_double.engine.records import Record
from stripe_double.engine.transactions import Transaction


@dataclass(frozen=True, slots=True)
class Deadline:
    """`due(record)` is the virtual second at which `act` must run, or None."""

    due: Callable[[Record], int | None]
    act: Callable[[Transaction, Record], None]


class Deadlines:
    """All coming deadlines, earliest first."""

    def __init__(self, rules: Mapping[str, Deadline]) -> None:
        self._rules = rules
        self._heap: list[tuple[int, int, str, str]] = []

    def observe(self, collection: str, record: Record, position: int = 0) -> None:
        """Learn the deadline of a record that was just stored.

        Of deadlines in the same second, that of the record with the lowest `position` comes first.
        """
        rule = self._rules.get(collection)
        if rule is None or (due := rule.due(record)) is None:
            return
        heapq.heappush(self._heap, (due, position, collection, record["id"]))

    def next_due(self) -> int | None:
        """The earliest known second, perhaps outdated."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: int) -> tuple[int, str, str] | None:
        """Take the earliest entry that is due: (second, collection, id)."""
        if not self._heap or self._heap[0][0] > now:
            return None
        due, _, collection, object_id = heapq.heappop(self._heap)
        return due, collection, object_id

    def is_current(self, collection: str, record: Record, due: int) -> bool:
        """Whether the record still has this deadline."""
        return self._rules[collection].due(record) == due

    def act(self, tx: Transaction, collection: str, record: Record) -> None:
        """Do what the deadline of this record asks for."""
        self._rules[collection].act(tx, record)

    def clear(self) -> None:
        """Forget all."""
        self._heap.clear()
