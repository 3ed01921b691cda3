"""Every place of a parameter table, each with a value that Stripe would take there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

Schema = Mapping[str, Any]
_VALUES = {"integer": 1, "number": 1.5, "boolean": True}


@dataclass(frozen=True)
class Place:
    """`path` as a Model names it, `name` as a form does, and a fitting value."""

    path: str
    steps: tuple[str | int, ...]
    value: Any
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        first, *rest = self.steps
        return str(first) + "".join(f"[{step}]" for step in rest)

    def as_form(self, value: Any = None) -> str:
        given = self.value if value is None else value
        text = str(given).lower() if isinstance(given, bool) else str(given)
        return urlencode({self.name: text})

    def as_tree(self) -> Any:
        tree = self.value
        for step in reversed(self.steps):
            tree = [tree] if isinstance(step, int) else {step: tree}
        return tree


def leaves(schema: Schema) -> dict[str, Place]:
    """Every leaf by its path; of several types at one path the first that is not empty."""
    found: dict[str, Place] = {}
    for place in _leaves(schema, "", ()):
        found.setdefault(place.path, place)
    return found


def _leaves(schema: Schema, path: str, steps: tuple[str | int, ...]) -> Iterator[Place]:
    if "anyOf" in schema:
        for option in schema["anyOf"]:
            yield from _leaves(option, path, steps)
        return
    for name, child in schema.get("properties", {}).items():
        yield from _leaves(child, f"{path}.{name}" if path else name, (*steps, name))
    free = schema.get("additionalProperties")
    if isinstance(free, dict):
        yield from _leaves(free, f"{path}.*", (*steps, "free_name"))
    if schema.get("type") == "array":
        yield from _leaves(schema["items"], f"{path}[]", (*steps, 0))
    elif schema.get("type") != "object" or not steps:
        choices = tuple(choice for choice in schema.get("enum", ()) if choice)
        if steps and (choices or "enum" not in schema):
            value = choices[0] if choices else _VALUES.get(schema["type"], _text(schema))
            yield Place(path, steps, value, choices)
    elif "properties" not in schema and not isinstance(free, dict):
        yield Place(path, (*steps, "anything"), "x")


def emptiable(schema: Schema) -> dict[str, Place]:
    """Every place below which there is more, that an empty string may clear as a whole."""
    return {place.path: place for place in _emptiable(schema, "", ())}


def _emptiable(schema: Schema, path: str, steps: tuple[str | int, ...]) -> Iterator[Place]:
    options = schema.get("anyOf", ())
    if any(option.get("enum") == [""] for option in options):
        yield Place(path, steps, "")
    for option in options:
        yield from _emptiable(option, path, steps)
    for name, child in schema.get("properties", {}).items():
        yield from _emptiable(child, f"{path}.{name}" if path else name, (*steps, name))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _emptiable(schema["additionalProperties"], f"{path}.*", (*steps, "free_name"))
    if schema.get("type") == "array":
        yield from _emptiable(schema["items"], f"{path}[]", (*steps, 0))


def _text(schema: Schema) -> str:
    return "1.5" if schema.get("format") == "decimal" else "x"


def objects(schema: Schema) -> Iterator[tuple[str | int, ...]]:
    """The steps to every object with a fixed set of names, the outermost included."""
    yield from dict.fromkeys(_objects(schema, ()))


def _objects(schema: Schema, steps: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    for option in schema.get("anyOf", ()):
        yield from _objects(option, steps)
    if schema.get("properties") or not steps:
        yield steps
    for name, child in schema.get("properties", {}).items():
        yield from _objects(child, (*steps, name))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _objects(schema["additionalProperties"], (*steps, "free_name"))
    if "items" in schema:
        yield from _objects(schema["items"], (*steps, 0))
