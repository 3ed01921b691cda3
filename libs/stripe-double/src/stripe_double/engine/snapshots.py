"""A whole world as one document, and back: for tests that start from the same place many times.

The document holds everything that the seed and the requests made: objects, ledger, id counters,
clock, faults still to come. With a clock that does not tick, the same seed and the same requests
make the same document, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from stripe_double.engine.errors import invalid_request
from stripe_double.engine.ids import Ids
from stripe_double.engine.records import JsonObject, Record

FORMAT = "stripe-double-world/1"


def document_of(
    *,
    ids: Ids,
    now: float,
    faults: JsonObject,
    objects: Iterable[tuple[str, str, int, Record]],
    ledger: list[JsonObject],
) -> JsonObject:
    """A world as it is. Records are shared with it: they are never changed in place."""
    return {
        "format": FORMAT,
        "seed": ids.seed,
        "counters": dict(sorted(ids.counters.items())),
        "now": now,
        "faults": faults,
        "objects": [list(row) for row in objects],
        "ledger": ledger,
    }


def encoded(document: JsonObject) -> bytes:
    """The document as a file holds it."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return f"{text}\n".encode()


def decoded(content: bytes) -> JsonObject:
    """The document in a file. Not one: ApiError 400."""
    try:
        document = json.loads(content)
    except ValueError as error:
        raise invalid_request("A world is a JSON document; this is not JSON.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise invalid_request(f"This is no world: its format is not {FORMAT}.")
    counters, rows, entries = (document.get(name) for name in ("counters", "objects", "ledger"))
    is_whole = (
        isinstance(document.get("seed"), str)
        and isinstance(document.get("now"), int | float)
        and isinstance(counters, dict)
        and all(isinstance(count, int) for count in counters.values())
        and isinstance(rows, list)
        and all(_is_row(row) for row in rows)
        and isinstance(entries, list)
        and all(isinstance(entry, dict) for entry in entries)
    )
    if not is_whole:
        raise invalid_request("This world is not whole.")
    return document


def _is_row(row: object) -> bool:
    return (
        isinstance(row, list)
        and [type(value) for value in row] == [str, str, int, dict]
        and row[3].get("id") == row[1]
    )


def ids_of(document: JsonObject) -> Ids:
    """The ids as they go on from the document."""
    return Ids(document["seed"], counters=document["counters"])
