"""Where a world outlives its process: SQLite, or nowhere.

All state is in memory; each transaction is written through in one SQLite transaction before the
answer leaves. A `kill -9` loses nothing that was answered. (`synchronous=NORMAL` under WAL: a
power cut may lose the last moments, a killed process does not.)
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stripe_double.engine.records import JsonObject, Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    position INTEGER PRIMARY KEY, collection TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS ledger (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

# A record keeps its position for life, so new ones are appended and no second index is needed.
_PUT = "INSERT OR REPLACE INTO object (position, collection, id, body) VALUES (?, ?, ?, ?)"
_NOTE = "INSERT INTO ledger (seq, entry) VALUES (?, ?)"
_CLEAR = ("DELETE FROM object", "DELETE FROM ledger", "DELETE FROM meta")
_SET = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)"

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Change:
    """One record as it is after a transaction. `position` keeps creation order."""

    collection: str
    id: str
    position: int
    record: Record


class Persistence(Protocol):
    """Load once, write per transaction."""

    def objects(self) -> Iterator[tuple[str, str, int, JsonObject]]:
        """Stored records (collection, id, position, body) in creation order."""

    def ledger(self) -> Iterator[JsonObject]:
        """Stored ledger entries, oldest first."""

    def meta(self, name: str) -> JsonObject | None:
        """A stored setting of the world itself, such as its clock and id counters."""

    def write(
        self, changes: Iterable[Change], entries: Iterable[Record], meta: dict[str, JsonObject]
    ) -> None:
        """Make one transaction durable, whole or not at all."""

    def replace(
        self, changes: Iterable[Change], entries: Iterable[Record], meta: dict[str, JsonObject]
    ) -> None:
        """Forget everything and hold this instead, or change nothing at all."""

    def clear(self) -> None:
        """Forget everything."""

    def close(self) -> None:
        """Release the file."""


class MemoryPersistence:
    """Nothing outlives the process."""

    def objects(self) -> Iterator[tuple[str, str, int, JsonObject]]:
        """Nothing is stored."""
        return iter(())

    def ledger(self) -> Iterator[JsonObject]:
        """Nothing is stored."""
        return iter(())

    def meta(self, name: str) -> JsonObject | None:
        """Nothing is stored."""
        del name
        return None

    def write(
        self, changes: Iterable[Change], entries: Iterable[Record], meta: dict[str, JsonObject]
    ) -> None:
        """Memory is the store; there is nothing more to do."""

    def replace(
        self, changes: Iterable[Change], entries: Iterable[Record], meta: dict[str, JsonObject]
    ) -> None:
        """Memory is the store; there is nothing more to do."""

    def clear(self) -> None:
        """Nothing is stored."""

    def close(self) -> None:
        """Nothing is open."""


class SqlitePersistence:
    """One file, one writer. A second process on the same file fails at start."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA wal_autocheckpoint = 4000")
        self._db.executescript(_SCHEMA)

    def objects(self) -> Iterator[tuple[str, str, int, JsonObject]]:
        """Stored records in creation order."""
        rows = self._db.execute(
            "SELECT collection, id, position, body FROM object ORDER BY position"
        )
        for collection, object_id, position, body in rows:
            yield collection, object_id, position, json.loads(body)

    def ledger(self) -> Iterator[JsonObject]:
        """Stored ledger entries, oldest first."""
        for (entry,) in self._db.execute("SELECT entry FROM ledger ORDER BY seq"):
            yield json.loads(entry)

    def meta(self, name: str) -> JsonObject | None:
        """A stored setting of the world itself."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        value: JsonObject | None = None if row is None else json.loads(row[0])
        return value

    def write(
        self, changes: Iterable[Change], entries: Iterable[Record], meta: dict[str, JsonObject]
    ) -> None:
        """One SQLite transaction."""
        self._write(changes, entries, meta)

    def replace(
        self, changes: Iterable[Change], entries: Iterable[Record], meta: dict[str, JsonObject]
    ) -> None:
        """One SQLite transaction that empties every table first."""
        self._write(changes, entries, meta, before=_CLEAR)

    def _write(
        self,
        changes: Iterable[Change],
        entries: Iterable[Record],
        meta: dict[str, JsonObject],
        *,
        before: Iterable[str] = (),
    ) -> None:
        rows = [(c.position, c.collection, c.id, _encode(c.record)) for c in changes]
        notes = [(entry["seq"], _encode(entry)) for entry in entries]
        values = [(name, _encode(value)) for name, value in meta.items()]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for statement in before:
                self._db.execute(statement)
            self._db.executemany(_PUT, rows)
            self._db.executemany(_NOTE, notes)
            self._db.executemany(_SET, values)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def clear(self) -> None:
        """Empty every table."""
        self._write((), (), {}, before=_CLEAR)

    def close(self) -> None:
        """Release the file and its lock."""
        self._db.close()


def open_persistence(data_dir: Path | None) -> Persistence:
    """SQLite under `data_dir`, or memory when there is none."""
    if data_dir is None:
        return MemoryPersistence()
    return SqlitePersistence(data_dir / "stripe-double.sqlite3")
