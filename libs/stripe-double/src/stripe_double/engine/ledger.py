"""The oracle: an append-only record of every request, effect, charge and delivery attempt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stripe_double.engine.records import JsonObject, Record

KINDS = ("request", "effect", "charge", "delivery", "control")


class Ledger:
    """Entries with an ever-growing `seq`. Entries of an unfinished transaction are held back."""

    def __init__(self) -> None:
        self._entries: list[Record] = []
        self._pending: list[Record] = []

    def load(self, entries: Iterable[JsonObject]) -> None:
        """Fill an empty ledger with persisted entries."""
        self._entries.extend(entries)

    def append(self, kind: str, at: int, **facts: Any) -> None:
        """Note one fact, at virtual second `at`; kept when the transaction is sealed."""
        seq = len(self._entries) + len(self._pending) + 1
        self._pending.append({"seq": seq, "kind": kind, "at": at, **facts})

    def pending(self) -> list[Record]:
        """Entries that the open transaction will add."""
        return list(self._pending)

    def seal(self) -> None:
        """Keep the pending entries."""
        self._entries.extend(self._pending)
        self._pending.clear()

    def undo(self) -> None:
        """Drop the pending entries."""
        self._pending.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._pending.clear()

    def entries(
        self, kind: str | None = None, *, after_seq: int = 0, **facts: Any
    ) -> list[JsonObject]:
        """Copies of the entries after `after_seq`, of one kind, with the given facts."""
        return [
            dict(entry)
            for entry in self._entries[after_seq:]
            if (kind is None or entry["kind"] == kind)
            and all(entry.get(name) == value for name, value in facts.items())
        ]

    def __len__(self) -> int:
        return len(self._entries)
