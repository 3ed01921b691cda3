"""All objects of the world in memory, with the few indexes that lists need, and an undo log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from stripe_double.engine.persistence import Change
from stripe_double.engine.records import Record

# (collection, field) pairs that lists filter by and that may hold many records.
INDEXED = frozenset(
    {
        ("checkout.session", "customer"),
        ("checkout.session", "subscription"),
        ("checkout.session", "payment_intent"),
        ("subscription", "customer"),
        ("invoice", "customer"),
        ("invoice_payment", "invoice"),
        ("invoiceitem", "customer"),
        ("invoiceitem", "invoice"),
        ("credit_note", "invoice"),
        ("credit_note", "customer"),
        ("subscription_schedule", "customer"),
        ("payment_intent", "customer"),
        ("charge", "customer"),
        ("charge", "payment_intent"),
        ("payment_method", "customer"),
        ("refund", "charge"),
        ("refund", "payment_intent"),
        ("dispute", "charge"),
        ("dispute", "payment_intent"),
        ("radar.early_fraud_warning", "charge"),
        ("balance_transaction", "source"),
        ("setup_intent", "customer"),
        ("setup_attempt", "setup_intent"),
        ("price", "product"),
        ("delivery", "event"),
        ("checkout.session", "payment_link"),
        ("checkout.session", "invoice"),
        ("product_feature.product", "product"),
        ("entitlements.taken", "customer"),
        ("meter.reading", "series"),
    }
)
_FIELDS: dict[str, tuple[str, ...]] = {
    collection: tuple(sorted(field for name, field in INDEXED if name == collection))
    for collection, _ in INDEXED
}


class Store:
    """Collections of records by id, in creation order. Deletion is a mark, never a removal."""

    def __init__(self) -> None:
        self._collections: dict[str, dict[str, Record]] = {}
        self._positions: dict[tuple[str, str], int] = {}
        self._index: dict[tuple[str, str, str], dict[str, None]] = {}
        self._next_position = 1
        self._undo: dict[tuple[str, str], Record | None] = {}
        self.observer: Callable[[str, Record, int], None] = lambda *_: None

    def load(self, rows: Iterable[tuple[str, str, int, Record]]) -> None:
        """Fill an empty store with persisted records, in creation order."""
        for collection, object_id, position, record in rows:
            self._place(collection, object_id, record)
            self._positions[collection, object_id] = position
            self._next_position = max(self._next_position, position + 1)
            self.observer(collection, record, position)

    def rows(self) -> Iterator[tuple[str, str, int, Record]]:
        """What `load` takes: (collection, id, position, record) in creation order."""
        ordered = sorted((position, key) for key, position in self._positions.items())
        for position, (collection, object_id) in ordered:
            yield collection, object_id, position, self._collections[collection][object_id]

    def find(self, collection: str, object_id: str) -> Record | None:
        """The record, or None."""
        return self._collections.get(collection, {}).get(object_id)

    def put(self, collection: str, record: Record) -> None:
        """Add or replace a record under its `id`, undoable until `seal`."""
        object_id: str = record["id"]
        key = (collection, object_id)
        if key not in self._undo:
            self._undo[key] = self.find(collection, object_id)
        if key not in self._positions:
            self._positions[key] = self._next_position
            self._next_position += 1
        self._place(collection, object_id, record)
        self.observer(collection, record, self._positions[key])

    def position(self, collection: str, object_id: str) -> int:
        """The place of a record in the order of creation, the same for life."""
        return self._positions[collection, object_id]

    def oldest(self, collection: str) -> Iterator[Record]:
        """Every record of a collection, in creation order."""
        return iter(self._collections.get(collection, {}).values())

    def newest(self, collection: str, *, where: Record | None = None) -> Iterator[Record]:
        """Records newest first; `where` keeps those whose fields equal the given values."""
        wanted = dict(where or {})
        records = self._candidates(collection, wanted)
        if not wanted:
            return records
        return (r for r in records if all(r.get(name) == value for name, value in wanted.items()))

    def count(self, collection: str) -> int:
        """How many records a collection holds."""
        return len(self._collections.get(collection, {}))

    def changes(self) -> list[Change]:
        """What the open transaction changed, in order of first touch."""
        return [
            Change(collection, object_id, self._positions[collection, object_id], record)
            for collection, object_id in self._undo
            if (record := self.find(collection, object_id)) is not None
        ]

    def seal(self) -> None:
        """Keep the changes of the open transaction."""
        self._undo.clear()

    def undo(self) -> None:
        """Put every record of the open transaction back as it was."""
        for (collection, object_id), before in reversed(self._undo.items()):
            if before is None:
                self._unindex(collection, object_id)
                del self._collections[collection][object_id]
                del self._positions[collection, object_id]
            else:
                self._place(collection, object_id, before)
        self._undo.clear()

    def clear(self) -> None:
        """Forget every record."""
        self._collections.clear()
        self._positions.clear()
        self._index.clear()
        self._undo.clear()
        self._next_position = 1

    def _candidates(self, collection: str, wanted: dict[str, object]) -> Iterator[Record]:
        records = self._collections.get(collection, {})
        for field in _FIELDS.get(collection, ()):
            if isinstance(value := wanted.get(field), str):
                ids = self._index.get((collection, field, value), {})
                ordered = sorted(ids, key=lambda i: self._positions[collection, i], reverse=True)
                return (records[object_id] for object_id in ordered)
        return reversed(records.values())

    def _place(self, collection: str, object_id: str, record: Record) -> None:
        self._unindex(collection, object_id)
        self._collections.setdefault(collection, {})[object_id] = record
        for field in _FIELDS.get(collection, ()):
            if isinstance(value := record.get(field), str):
                self._index.setdefault((collection, field, value), {})[object_id] = None

    def _unindex(self, collection: str, object_id: str) -> None:
        before = self.find(collection, object_id)
        if before is None:
            return
        for field in _FIELDS.get(collection, ()):
            if isinstance(value := before.get(field), str):
                self._index.get((collection, field, value), {}).pop(object_id, None)
