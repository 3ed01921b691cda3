"""Metadata as updates change it: keys are merged, an empty value removes, an empty whole clears."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record


def merged(before: Record, params: JsonObject) -> JsonObject:
    """The metadata after an update with `params`."""
    given = params.get("metadata")
    if given == "":
        return {}
    after = {**before["metadata"], **(given or {})}
    return {key: value for key, value in after.items() if value != ""}


def given(params: JsonObject) -> JsonObject:
    """The metadata of a new object."""
    return {key: value for key, value in (params.get("metadata") or {}).items() if value != ""}
