"""The parameter tables as one compact text, and the list of all paths.

A line of the tables is `"key": schema,`. A key `METHOD /path/{id}` is an operation. Schemas that
occur more than once and are long stand once, under a key `#n`, and are named `{"$ref": "#n"}`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stripe_double.derivation.sdk_operations import SdkOperation, operations_of
from stripe_double.derivation.sdk_source import sdk_folder, service_modules
from stripe_double.derivation.sdk_types import Schema, schema_of

_SHARED_FROM_CHARACTERS = 120
_HERE = Path(__file__).parent


def sdk_operations() -> list[SdkOperation]:
    """Every operation of the installed SDK, by route."""
    found = {
        row.route: row for module in service_modules(sdk_folder()) for row in operations_of(module)
    }
    return [found[route] for route in sorted(found)]


def known_paths_text(rows: list[SdkOperation]) -> str:
    """`GET,POST /v1/path/{id}` per line."""
    methods = defaultdict(set)
    for row in rows:
        method, path = row.route.split(" ")
        methods[path].add(method)
    return "".join(f"{','.join(sorted(methods[path]))} {path}\n" for path in sorted(methods))


def tables(rows: list[SdkOperation]) -> dict[str, Schema]:
    """Route -> schema, for the families of `families.txt` and the paths no SDK has."""
    families = tuple((_HERE / "families.txt").read_text("utf-8").split())
    added = json.loads((_HERE / "beyond_the_sdk.json").read_text("utf-8"))
    made: dict[str, Schema] = dict(added["operations"])
    for row in rows:
        path = row.route.split(" ")[1]
        if any(path == family or path.startswith(f"{family}/") for family in families):
            empty: Schema = {"properties": {}, "type": "object"}
            made[row.route] = empty if row.params is None else schema_of(row.module, row.params)
    for route, parameters in added["parameters"].items():
        made[route]["properties"] = dict(
            sorted({**made[route]["properties"], **parameters}.items())
        )
    for route, limits in added["max_lengths"].items():
        for path, limit in limits.items():
            _limit(made[route], path, limit)
    return dict(sorted(made.items()))


def _limit(schema: Schema, path: str, limit: int) -> None:
    leaves = list(_leaves_at(schema, path))
    if not leaves:
        message = f"no parameter {path} to limit"
        raise ValueError(message)
    for leaf in leaves:
        leaf["maxLength"] = limit


def _leaves_at(schema: Schema, path: str) -> Iterator[Schema]:
    """The free strings at `a.b[].c`, through every option on the way."""
    for option in schema.get("anyOf", []):
        yield from _leaves_at(option, path)
    if not path:
        if schema.get("type") == "string" and "enum" not in schema:
            yield schema
        return
    if path.startswith("[]"):
        if "items" in schema:
            yield from _leaves_at(schema["items"], path[2:].removeprefix("."))
        return
    name = path.split(".")[0].split("[")[0]
    child = schema.get("properties", {}).get(name)
    if child is None and name == "*":
        child = schema.get("additionalProperties")
    if child is not None:
        yield from _leaves_at(child, path[len(name) :].removeprefix("."))


def tables_text(schemas: Mapping[str, Schema]) -> str:
    """One line a key; loadable as JSON as a whole, or line by line."""
    counts: Counter[str] = Counter()
    for schema in schemas.values():
        _count(schema, counts)
    shared = sorted(text for text, count in counts.items() if count > 1)
    names = {text: f"#{number}" for number, text in enumerate(shared)}
    lines = [f"{json.dumps(key)}: {_text(schema, names)}" for key, schema in schemas.items()]
    lines += [
        f"{json.dumps(names[text])}: {_text(json.loads(text), names, at_top=True)}"
        for text in shared
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _dumped(schema: Any) -> str:
    return json.dumps(schema, separators=(",", ":"), sort_keys=True)


def _count(node: Any, counts: Counter[str]) -> None:
    """Counts each distinct schema once per place it is written, not inside repeated ones."""
    if isinstance(node, list):
        for item in node:
            _count(item, counts)
    if not isinstance(node, dict):
        return
    if "type" in node or "anyOf" in node:
        text = _dumped(node)
        if len(text) >= _SHARED_FROM_CHARACTERS:
            counts[text] += 1
            if counts[text] > 1:
                return
    for child in node.values():
        _count(child, counts)


def _text(node: Any, names: Mapping[str, str], *, at_top: bool = False) -> str:
    return _dumped(_referring(node, names, at_top=at_top))


def _referring(node: Any, names: Mapping[str, str], *, at_top: bool) -> Any:
    if isinstance(node, list):
        return [_referring(item, names, at_top=False) for item in node]
    if not isinstance(node, dict):
        return node
    if not at_top and ("type" in node or "anyOf" in node):
        name = names.get(_dumped(node))
        if name is not None:
            return {"$ref": name}
    return {key: _referring(child, names, at_top=False) for key, child in node.items()}
