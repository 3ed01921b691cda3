"""The parameters of an older version's request as the newest version would write them."""

from __future__ import annotations

from typing import Any

from stripe_double.engine.errors import parameter_unknown
from stripe_double.engine.records import JsonObject
from stripe_double.wire.versions.added_parameters import ADDED
from stripe_double.wire.versions.names import steps_up_from, train_of
from stripe_double.wire.versions.parameter_changes import RESHAPED


def upgrade(route: str, raw: JsonObject, version: str) -> JsonObject:
    """`raw` of `METHOD /v1/path/{id}`, undecoded strings, in the newest version's words.

    A parameter that `version` does not know yet: ApiError 400 `parameter_unknown`.
    """
    steps = steps_up_from(train_of(version))
    for step in steps:
        for path in ADDED.get(step, {}).get(route, ()):
            found = _find(raw, path.replace("[]", ".[]").split("."), "")
            if found is not None:
                raise parameter_unknown(found)
    for step in steps:
        reshape = RESHAPED.get(step, {}).get(route)
        raw = raw if reshape is None else reshape(raw)
    return raw


def _find(node: Any, path: list[str], name: str) -> str | None:
    """The name of the first parameter at `path`, as the caller wrote it."""
    if not path:
        return name
    if path[0] == "[]":
        children = node if isinstance(node, list) else []
        found = (_find(child, path[1:], f"{name}[{i}]") for i, child in enumerate(children))
        return next((hit for hit in found if hit is not None), None)
    if not isinstance(node, dict) or path[0] not in node:
        return None
    return _find(node[path[0]], path[1:], f"{name}[{path[0]}]" if name else path[0])
