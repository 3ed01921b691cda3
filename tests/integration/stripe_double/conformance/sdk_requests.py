"""Requests as sent, compared with Stripe's specification where it is at hand, else the SDK's types.

Decoded and judged here without any code of the double, except for reading its derived tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.integration.stripe_double.conformance.in_process import Exchange

from stripe_double.wire.tables import has_table, table_of

_ID = re.compile(r"\{[a-z_]+\}")
_SCALARS = {
    "integer": re.compile(r"-?\d+"),
    "number": re.compile(r"-?\d+(\.\d+)?"),
    "boolean": re.compile(r"true|false"),
}


@cache
def spec_operations() -> Mapping[str, Any]:
    """Route -> schema, as in Stripe's OpenAPI specification (see the file's licence)."""
    text = (Path(__file__).parent / "spec_operations.json").read_text("utf-8")
    found = {}
    for route, given in json.loads(text)["ops"].items():
        schema = given["body"] or {"type": "object", "properties": {}}
        if given["query"]:
            required = [
                name for name, value in given["query"].items() if value.get("required") is True
            ]
            schema = {"type": "object", "properties": given["query"], "required": required}
        found[_ID.sub("{id}", route)] = schema
    return found


def request_violations(exchange: Exchange) -> Iterator[str]:
    """What is wrong with a request, by the specification and by the SDK's types."""
    if exchange.path.startswith("/v2/") and exchange.method == "POST":
        sent = json.loads(exchange.text or "{}")
    else:
        sent = nested(exchange.text)
    route = exchange.route
    if route in spec_operations():
        for found in _object(spec_operations()[route], sent, ""):
            yield f"{route} by the specification: {found}"
    if has_table(route):
        for found in _object(table_of(route), sent, ""):
            yield f"{route} by the SDK: {found}"


def nested(text: str) -> dict[str, Any]:
    """A form body as nested dicts; lists are dicts of positions."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        steps = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name)
        node = tree
        for step in steps[:-1]:
            node = node.setdefault(step or str(len(node)), {})
        node[steps[-1] or str(len(node))] = value
    return tree


def _object(schema: Mapping[str, Any], sent: Any, path: str) -> Iterator[str]:
    if not isinstance(sent, dict):
        yield f"{path} is no object"
        return
    properties = schema.get("properties", {})
    free = schema.get("additionalProperties")
    for name, value in sent.items():
        where = f"{path}[{name}]" if path else name
        if name in properties:
            yield from _value(properties[name], value, where)
        elif isinstance(free, dict):
            yield from _value(free, value, where)
        else:
            yield f"{where} is unknown"
    for name in schema.get("required", ()):
        if sent.get(name) in (None, ""):
            yield f"{path}[{name}] is missing" if path else f"{name} is missing"


def _value(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    if "anyOf" in schema:
        yield from min((list(_value(o, value, path)) for o in schema["anyOf"]), key=len)
    elif not schema.keys() - {"type", "required"} and schema.get("type") in {None, "object"}:
        return  # left open in the excerpt of the specification
    elif schema.get("type") == "object" or "properties" in schema:
        yield from _object(schema, value, path)
    elif schema.get("type") == "array":
        items = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(items, list):
            yield f"{path} is no list"
            return
        for index, item in enumerate(items):
            yield from _value(schema["items"], item, f"{path}[{index}]")
    elif isinstance(value, dict | list):
        yield f"{path} is no single value"
    else:
        yield from _scalar(schema, value, path)


def _scalar(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    pattern = _SCALARS.get(schema.get("type", ""))
    if pattern is not None and not pattern.fullmatch(text):
        yield f"{path}={text} is no {schema['type']}"
    if "enum" in schema and text not in schema["enum"]:
        yield f"{path}={text} is no choice"
    if len(text) > schema.get("maxLength", 5000):
        yield f"{path} is too long"
