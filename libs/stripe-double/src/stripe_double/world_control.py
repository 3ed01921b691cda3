"""The whole world: looked at, kept, put back, and changed as from the dashboard."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from stripe_double.engine.delivery import COLLECTION
from stripe_double.engine.errors import ApiError, invalid_request, resource_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.snapshots import decoded, encoded
from stripe_double.engine.world import World
from stripe_double.resources.catalog import OPERATIONS
from stripe_double.resources.operations import Call
from stripe_double.settings import Settings
from stripe_double.wire.forms import decode_json
from stripe_double.wire.parameters import check

_NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
_BY_NAME = {row.name: row for row in OPERATIONS}


class WorldControl:
    """Synchronous; call it in the double's event loop. Errors are ApiError."""

    _world: World
    _settings: Settings
    _snapshots: dict[str, JsonObject]

    def ledger(
        self, kind: str | None = None, *, after_seq: int = 0, **facts: Any
    ) -> list[JsonObject]:
        """The oracle's entries."""
        return self._world.ledger.entries(kind, after_seq=after_seq, **facts)

    def objects(self, collection: str, **where: Any) -> list[Record]:
        """Every stored object of a type, oldest first, with the given values."""
        return [
            record
            for record in self._world.store.oldest(collection)
            if all(record.get(name) == value for name, value in where.items())
        ]

    def deliveries(self) -> list[Record]:
        """Every delivery: one event for one endpoint, with its state and attempts."""
        return self.objects(COLLECTION)

    def act(
        self, operation: str, object_id: str = "", params: JsonObject | None = None
    ) -> JsonObject:
        """Do what an API operation does, as somebody in the dashboard: events name no request.

        `operation` is a name of the operation table, such as `subscriptions.update`; `object_id`
        the id in its path (ids, separated by `/`).
        """
        row = _BY_NAME.get(operation)
        if row is None:
            raise invalid_request(f"There is no operation {operation}.", param="operation")
        typed = check(row.route, decode_json(json.dumps(params or {})), row.model)
        self._world.run_due()
        with self._world.transaction() as tx:
            result = row.handler(tx, Call(object_id, typed))
            tx.ledger.append("control", tx.now, action="acted", operation=operation, id=object_id)
        if isinstance(result, ApiError):
            raise result
        return result

    # -- snapshots ---------------------------------------------------------------------------

    def export(self) -> bytes:
        """The whole world as a file (see `engine.snapshots`)."""
        return encoded(self._world.document())

    def put_back(self, content: bytes) -> None:
        """Become the world in a file that `export` made."""
        self._become(decoded(content))

    def take_snapshot(self, name: str) -> JsonObject:
        """Keep the world as it is now under a name; with a data directory, also as a file there."""
        document = self._world.document()
        self._snapshots[_checked(name)] = document
        path = self._path(name)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_bytes(encoded(document))
            unfinished.replace(path)
        return {"name": name, "objects": len(document["objects"]), "now": int(document["now"])}

    def restore_snapshot(self, name: str) -> None:
        """Become the world that was kept under a name. It stays kept."""
        document = self._snapshots.get(_checked(name))
        path = self._path(name)
        if document is None and path is not None and path.exists():
            document = decoded(path.read_bytes())
        if document is None:
            raise resource_missing("snapshot", name)
        self._become(document)

    def forget_snapshot(self, name: str) -> None:
        """Keep it no longer."""
        self._snapshots.pop(_checked(name), None)
        path = self._path(name)
        if path is not None:
            path.unlink(missing_ok=True)

    def snapshots(self) -> list[str]:
        """The names that can be restored."""
        directory = self._directory()
        files = [] if directory is None else [path.stem for path in directory.glob("*.json")]
        return sorted({*self._snapshots, *files})

    def _become(self, document: JsonObject) -> None:
        try:
            self._world.put_back(document)
        except (KeyError, TypeError, ValueError) as error:
            raise invalid_request(f"This world is not whole: {error!r}.") from error

    def _directory(self) -> Path | None:
        data_dir = self._settings.data_dir
        return None if data_dir is None else data_dir / "snapshots"

    def _path(self, name: str) -> Path | None:
        directory = self._directory()
        return None if directory is None else directory / f"{name}.json"


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise invalid_request("A snapshot's name is 1 to 64 letters, digits, _ or -.", param="name")
    return name
