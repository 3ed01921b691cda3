"""Objects and events as an older version shows them: pure functions over JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stripe_double.engine.records import JsonObject, Record
from stripe_double.wire.versions.added_fields import ADDED
from stripe_double.wire.versions.names import steps_down_to, train_of
from stripe_double.wire.versions.object_changes import RESHAPED, Find


def render(node: Any, version: str, find: Find) -> Any:
    """Any answer in `version`: objects in it at every depth, and events in it as well."""
    steps = steps_down_to(train_of(version))
    return _View(steps, version, find).of(node) if steps else node


def render_event(event: Record, version: str, find: Find) -> JsonObject:
    """An event, which is stored in the newest shape, as `version` shows it."""
    steps = steps_down_to(train_of(version))
    return _View(steps, version, find).event(event)


class _View:
    def __init__(self, steps: tuple[str, ...], version: str, find: Find) -> None:
        self._steps = steps
        self._version = version
        self._find = find

    def of(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.of(item) for item in node]
        if not isinstance(node, Mapping):
            return node
        kind = node.get("object")
        if kind == "event" and isinstance(node.get("data"), Mapping):
            return self.event(node)
        return self._inside(self._as(node, kind) if isinstance(kind, str) else node)

    def event(self, event: Record) -> JsonObject:
        data = event["data"]
        shown = {name: self.of(value) for name, value in data.items()}
        if "previous_attributes" in data:
            kind = data["object"].get("object")
            shown["previous_attributes"] = self._inside(self._as(data["previous_attributes"], kind))
        return {**event, "api_version": self._version, "data": shown}

    def _inside(self, node: Record) -> JsonObject:
        return {name: self.of(value) for name, value in node.items()}

    def _as(self, record: Record, kind: str) -> JsonObject:
        shown = dict(record)
        for step in self._steps:
            reshape = RESHAPED.get(step, {}).get(kind)
            if reshape is not None:
                shown = reshape(shown, self._find)
            for name in ADDED.get(step, {}).get(kind, ()):
                shown.pop(name, None)
        return shown
