"""Stripe's API versions as steps: an object of an older version is lifted to the pinned one.

A webhook endpoint renders events in the version it was made with, for ever, and an event is never
rendered again. So both shapes of a field are met for as long as old events are kept. A step only
moves what was moved; what a version has dropped without a successor is left out, never invented.

Source: Stripe's changelog, and the resource fields of one SDK release per train.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from billing_common.domain.errors import PoisonError

Json = Mapping[str, Any]
Step = Callable[[Json], Json]


class ApiVersionUnsupported(PoisonError):  # noqa: N818 - exceptions are facts here
    """No step leads from this version to the pinned one. Nothing was guessed."""

    code = "stripe_api_version_unsupported"


def _subscription_to_basil(source: Json) -> Json:
    """Basil: the period belongs to each item; items of one subscription may differ since."""
    period = {
        name: source[name]
        for name in ("current_period_start", "current_period_end")
        if source.get(name)
    }
    items = source.get("items")
    if not period or not isinstance(items, Mapping) or not isinstance(items.get("data"), list):
        return source
    lifted = [{**period, **item} if isinstance(item, Mapping) else item for item in items["data"]]
    return {**source, "items": {**items, "data": lifted}}


def _invoice_to_basil(source: Json) -> Json:
    """Basil: what an invoice is for stands in `parent`."""
    if source.get("parent") is not None or source.get("subscription") is None:
        return source
    details = source.get("subscription_details")
    metadata = details.get("metadata") if isinstance(details, Mapping) else None
    return {
        **source,
        "parent": {
            "type": "subscription_details",
            "quote_details": None,
            "subscription_details": {"metadata": metadata, "subscription": source["subscription"]},
        },
    }


# Release trains, oldest first, each with the steps that lead into it from the one before.
# clover, dahlia and endive moved no field that is read here.
_TRAINS: Final[tuple[tuple[str, Mapping[str, Step]], ...]] = (
    ("acacia", MappingProxyType({})),
    (
        "basil",
        MappingProxyType({"subscription": _subscription_to_basil, "invoice": _invoice_to_basil}),
    ),
    ("clover", MappingProxyType({})),
    ("dahlia", MappingProxyType({})),
    ("endive", MappingProxyType({})),
)
_POSITIONS: Final = MappingProxyType({name: place for place, (name, _) in enumerate(_TRAINS)})


def lift(source: Json, *, api_version: str | None) -> Json:
    """`source` as the pinned version would have it; itself when nothing moved.

    `api_version` is the event's, `2025-08-27.basil`. None is what Stripe writes for an event that
    it renders without one: its shape is taken as the pinned version's, and checked like any other.
    Raises ApiVersionUnsupported for a train that is not known, older or newer.
    """
    if api_version is None:
        return source
    train = api_version.rpartition(".")[2]
    place = _POSITIONS.get(train)
    if place is None:
        raise ApiVersionUnsupported("events of this API version cannot be read")
    for _, steps in _TRAINS[place + 1 :]:
        step = steps.get(str(source.get("object")))
        if step is not None:
            source = step(source)
    return source
