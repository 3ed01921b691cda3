"""List answers: newest first, `limit`, `starting_after`, `ending_before`, `has_more`, `created`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from stripe_double.engine.errors import invalid_request, resource_missing
from stripe_double.engine.records import JsonObject, Record

_BOUNDS = {
    "eq": lambda created, bound: created == bound,
    "gt": lambda created, bound: created > bound,
    "gte": lambda created, bound: created >= bound,
    "lt": lambda created, bound: created < bound,
    "lte": lambda created, bound: created <= bound,
}


def page(records: Iterable[Record], params: JsonObject, *, url: str) -> JsonObject:
    """One page of `records`, which come newest first and already filtered."""
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise invalid_request(
            f"This value must be between 1 and 100 (inclusive); got {limit}.", param="limit"
        )
    after, before = params.get("starting_after"), params.get("ending_before")
    if after and before:
        raise invalid_request(
            "You may only specify one of these parameters: starting_after, ending_before."
        )
    if before:
        newer = list(_until(records, before, "ending_before"))
        return listing(newer[-limit:], url=url, has_more=len(newer) > limit)
    rest = _after(records, after) if after else iter(records)
    found = list(islice(rest, limit + 1))
    return listing(found[:limit], url=url, has_more=len(found) > limit)


def listing(records: Iterable[Record], *, url: str, has_more: bool = False) -> JsonObject:
    """A list object holding exactly these records."""
    return {"object": "list", "data": list(records), "has_more": has_more, "url": url}


def equal_to(params: JsonObject, *names: str) -> JsonObject:
    """Those of the named filter parameters that were given: the `where` of a listing."""
    return {name: params[name] for name in names if name in params}


def created_within(records: Iterable[Record], params: JsonObject) -> Iterator[Record]:
    """Records whose `created` fits the `created` parameter (a second, or bounds)."""
    return second_within(records, params.get("created"), lambda record: record["created"])


def second_within(
    records: Iterable[Record],
    wanted: int | JsonObject | None,
    second_of: Callable[[Record], int | None],
) -> Iterator[Record]:
    """Records for which `second_of` is a second, or between bounds; all when nothing is wanted."""
    if wanted is None:
        return iter(records)
    bounds = {"eq": wanted} if isinstance(wanted, int) else wanted
    return (
        record
        for record in records
        if (second := second_of(record)) is not None
        and all(_BOUNDS[name](second, bound) for name, bound in bounds.items())
    )


def _after(records: Iterable[Record], cursor: str) -> Iterator[Record]:
    rest = iter(records)
    for record in rest:
        if record["id"] == cursor:
            return rest
    raise _bad_cursor("starting_after", cursor)


def _until(records: Iterable[Record], cursor: str, param: str) -> Iterator[Record]:
    for record in records:
        if record["id"] == cursor:
            return
        yield record
    raise _bad_cursor(param, cursor)


def _bad_cursor(param: str, cursor: str) -> Exception:
    return resource_missing("object", cursor, param=param, status=400)
