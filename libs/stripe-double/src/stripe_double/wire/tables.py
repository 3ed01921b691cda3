"""Stripe's parameter tables and paths, as `stripe_double.derivation` wrote them.

The files come from the types of the official SDK and from Stripe's OpenAPI specification (MIT, (c)
Stripe; see NOTICE). `parameters.json` has one line a key, so that a process parses only the lines
of the operations it serves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

Schema = Mapping[str, Any]


@cache
def _lines() -> Mapping[str, str]:
    """Key -> its schema, not parsed yet."""
    text = files("stripe_double.wire").joinpath("parameters.json").read_text("utf-8")
    lines = {}
    for line in text.splitlines()[1:-1]:
        key, _, schema = line.partition('": ')
        lines[key[1:]] = schema.removesuffix(",")
    return lines


@cache
def known_paths() -> frozenset[tuple[str, str]]:
    """(method, path) of every operation of the official SDK, ids written `{id}`."""
    text = files("stripe_double.wire").joinpath("known_paths.txt").read_text("utf-8")
    known = set()
    for line in text.splitlines():
        methods, path = line.split(" ")
        known |= {(method, path) for method in methods.split(",")}
    return frozenset(known)


def has_table(operation: str) -> bool:
    """Whether `METHOD /v1/path/{id}` has a parameter table."""
    return operation in _lines()


def tabled_operations() -> frozenset[str]:
    """Every `METHOD /v1/path/{id}` with a parameter table."""
    return frozenset(key for key in _lines() if not key.startswith("#"))


@cache
def table_of(operation: str) -> Schema:
    """The schema of its parameters; KeyError without one. Shared parts are one object."""
    schema: Schema = _resolved(json.loads(_lines()[operation]))
    return schema


def _resolved(node: Any) -> Any:
    if isinstance(node, list):
        return [_resolved(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return table_of(node["$ref"])
    return {key: _resolved(child) for key, child in node.items()}
