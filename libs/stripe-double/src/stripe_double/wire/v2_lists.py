"""Pages of v2 lists: `data`, `next_page_url`, and a page token instead of cursors."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from urllib.parse import urlencode

from stripe_double.engine.errors import invalid_request
from stripe_double.engine.records import JsonObject, Record

PAGE = "page"
"""The query parameter with the token: the id of the last record of the page before."""

_DEFAULT_LIMIT = 20
_MAX_LIMIT = 100


def v2_page(records: Iterable[Record], params: JsonObject, *, url: str) -> JsonObject:
    """One page of `records`, which come newest first and already filtered."""
    limit = params.get("limit", _DEFAULT_LIMIT)
    if not 1 <= limit <= _MAX_LIMIT:
        raise invalid_request(f"limit must be 1 to {_MAX_LIMIT}; got {limit}.", param="limit")
    rest = iter(records)
    token = params.get(PAGE)
    if token is not None and all(record["id"] != token for record in rest):
        raise invalid_request("This page token is not known.", param=PAGE)
    found = list(islice(rest, limit + 1))
    more = len(found) > limit
    last = found[limit - 1]["id"] if more else None
    return {
        "data": found[:limit],
        "next_page_url": f"{url}?{_query(params, last)}" if last else None,
        "previous_page_url": None,
    }


def _query(params: JsonObject, token: str) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        if isinstance(value, list):
            pairs += [(f"{name}[{index}]", str(item)) for index, item in enumerate(value)]
        elif isinstance(value, dict):
            pairs += [(f"{name}[{key}]", str(item)) for key, item in value.items()]
        elif name != PAGE:
            pairs.append((name, str(value)))
    return urlencode([*pairs, (PAGE, token)])
