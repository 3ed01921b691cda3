"""Stripe objects compared with the resource classes of the official SDK.

A field that is not Optional must be there and not null; a value has the annotated type; a choice
is one of the annotated ones; a field that the class does not know is a violation, so that nothing
survives that Stripe took away. The classes are read as source: their annotations are not made to
be evaluated.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from stripe_double.derivation.sdk_source import Module, sdk_folder

REQUIRED: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "required_fields.json").read_text("utf-8")
)["objects"]
# Events that say what was before.
CHANGES = ("updated", "refunded", "detached", "paused", "resumed")
_PLAIN = {"str": str, "int": int, "bool": bool, "Decimal": str}


@dataclass(frozen=True)
class Kind:
    """A class of the SDK, and the classes it is written in."""

    module: Module
    scopes: tuple[ast.ClassDef, ...]

    @property
    def node(self) -> ast.ClassDef:
        return self.scopes[-1]

    def fields(self) -> Iterator[tuple[str, ast.expr]]:
        for node in self.node.body:
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
                continue
            if not ast.unparse(node.annotation).startswith("ClassVar"):
                yield node.target.id.removesuffix("_"), node.annotation

    def named(self, name: str) -> Kind:
        """What a name in an annotation of this class means."""
        for depth in range(len(self.scopes), 0, -1):
            for node in self.scopes[depth - 1].body:
                if isinstance(node, ast.ClassDef) and node.name == name:
                    return Kind(self.module, (*self.scopes[:depth], node))
        home = self.module.origin_of(name)
        if name not in home.classes:  # imported under another name
            original = next(
                alias.name
                for node in ast.walk(self.module.tree)
                if isinstance(node, ast.ImportFrom)
                for alias in node.names
                if alias.asname == name
            )
            return Kind(home, (home.classes[original],))
        return Kind(home, (home.classes[name],))


@cache
def kinds() -> dict[str, Kind]:
    """`object` name -> class."""
    found: dict[str, Kind] = {}
    folder = sdk_folder()
    for path in sorted(folder.rglob("_*.py")):
        relative = path.relative_to(folder).parts
        if "params" in relative or "events" in relative or path.name.endswith("_service.py"):
            continue
        module = Module(folder, path)
        for node in module.classes.values():
            name = _object_name(node)
            if name is not None:
                found.setdefault(name, Kind(module, (node,)))
    return found


def _object_name(node: ast.ClassDef) -> str | None:
    for child in node.body:
        if (
            isinstance(child, ast.AnnAssign)
            and isinstance(child.target, ast.Name)
            and child.target.id == "OBJECT_NAME"
            and isinstance(child.value, ast.Constant)
        ):
            return str(child.value.value)
    return None


def violations(node: Any, path: str = "") -> Iterator[str]:
    """Everything that is wrong with an answer: an object, a list of them, or a deletion."""
    if not isinstance(node, dict):
        yield f"{path or 'answer'} is not an object"
        return
    name = node.get("object")
    if name in {"list", "search_result"} or ("data" in node and name is None):
        yield from _list_violations(node, None, path)
    elif node.get("deleted") is True:
        wanted = {"id", "object", "deleted"} | ({"checkout"} & node.keys())
        if node.keys() != wanted:
            yield f"{path}<{name}> deleted has {sorted(node.keys() ^ wanted)}"
    elif name == "event" or name == "v2.core.event":
        yield from event_violations(node, path)
    elif name not in kinds():
        yield f"{path} is a {name!r}, which the SDK does not know"
    else:
        yield from object_violations(node, path)


def object_violations(node: dict[str, Any], path: str) -> Iterator[str]:
    name = node["object"]
    here = f"{path}<{name}>"
    for wanted in REQUIRED.get(name, {}):
        if wanted not in node:
            yield f"{here}.{wanted} is missing"
    # Where the specification says what must be there, it decides, not the SDK's annotations.
    needless = set(dict(kinds()[name].fields())) - REQUIRED[name].keys() if name in REQUIRED else ()
    yield from _class_violations(node, kinds()[name], here, frozenset(needless))


def event_violations(event: dict[str, Any], path: str) -> Iterator[str]:
    here = f"{path}<event {event.get('type')}>"
    if event["object"] != "event":
        yield from _class_violations(event, kinds()[event["object"]], here)
        return
    envelope = {**event, "data": {"object": {}}}
    yield from _class_violations(envelope, kinds()["event"], here)
    shown = event["data"]["object"]
    if event["type"] == "invoice.upcoming":  # it does not exist yet: Stripe shows it without id
        shown = {"id": "upcoming", **shown}
    yield from violations(shown, f"{here}.data.object")
    extra = event["data"].keys() - {"object", "previous_attributes"}
    if extra:
        yield f"{here}.data has {sorted(extra)}"
    previous = event["data"].get("previous_attributes")
    if previous is not None:
        if not event["type"].endswith(CHANGES):
            yield f"{here} has previous_attributes"
        unknown = previous.keys() - event["data"]["object"].keys()
        if unknown:
            yield f"{here}.data.previous_attributes has {sorted(unknown)}"


def _list_violations(node: Any, member: Any, path: str) -> Iterator[str]:
    if not isinstance(node, dict) or not isinstance(node.get("data"), list):
        yield f"{path} is not a list object"
        return
    is_v2 = "object" not in node
    wanted = (
        {"data", "next_page_url", "previous_page_url"}
        if is_v2
        else {
            "object",
            "data",
            "has_more",
            "url",
        }
    )
    if node.keys() - {"total_count", "next_page"} != wanted:
        yield f"{path} list has {sorted(node.keys() ^ wanted)}"
    for index, item in enumerate(node["data"]):
        where = f"{path}.data[{index}]"
        if member is None:
            yield from violations(item, where)
        else:
            yield from _value(item, *member, where)


def _class_violations(
    node: dict[str, Any], kind: Kind, path: str, needless: frozenset[str] = frozenset()
) -> Iterator[str]:
    known = set()
    for name, annotation in kind.fields():
        known.add(name)
        parsed = _parsed(annotation)
        optional = _argument(parsed, "Optional") is not None or name in needless
        if not optional and name not in node:
            yield f"{path}.{name} is missing"
        elif name in node:
            yield from _value(node[name], kind, parsed, f"{path}.{name}")
    for name in sorted(node.keys() - known):
        yield f"{path}.{name} is not a field of {kind.node.name}"


def _parsed(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ast.parse(node.value, mode="eval").body
    return node


def _argument(node: ast.expr, name: str) -> ast.expr | None:
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == name:
        return node.slice
    return None


def _value(value: Any, kind: Kind, node: ast.expr, path: str) -> Iterator[str]:
    node = _parsed(node)
    optional = _argument(node, "Optional")
    if optional is not None:
        if value is not None:
            yield from _value(value, kind, optional, path)
        return
    if value is None:
        yield f"{path} is null"
    elif isinstance(node, ast.Subscript):
        yield from _generic(value, kind, ast.unparse(node.value), node.slice, path)
    elif isinstance(node, ast.Name | ast.Attribute):
        yield from _plain(value, kind, ast.unparse(node).split(".")[-1], path)
    else:
        message = f"unexpected annotation {ast.unparse(node)} at {path}"
        raise ValueError(message)


def _plain(value: Any, kind: Kind, name: str, path: str) -> Iterator[str]:
    if name == "Any":
        return
    if name == "float":
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{path} is a {type(value).__name__}, not a number"
    elif name in _PLAIN:
        if type(value) is not _PLAIN[name]:
            yield f"{path} is a {type(value).__name__}, not a {name}"
    elif not isinstance(value, dict):
        yield f"{path} is a {type(value).__name__}, not a {name}"
    else:
        meant = kind.named(name)
        own = _object_name(meant.node)
        if own is None:
            yield from _class_violations(value, meant, path)
        elif value.get("deleted") is True:
            yield from violations(value, path)
        elif value.get("object") != own:
            yield f"{path} is a {value.get('object')!r}, not a {own}"
        else:
            yield from object_violations(value, path)


def _generic(value: Any, kind: Kind, name: str, inner: ast.expr, path: str) -> Iterator[str]:
    if name == "Literal":
        choices = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if value not in [ast.literal_eval(choice) for choice in choices]:
            yield f"{path} is {value!r}, which is no choice"
    elif name == "List":
        if not isinstance(value, list):
            yield f"{path} is a {type(value).__name__}, not a list"
            return
        for index, item in enumerate(value):
            yield from _value(item, kind, inner, f"{path}[{index}]")
    elif name == "UntypedStripeObject":
        if not isinstance(value, dict):
            yield f"{path} is a {type(value).__name__}, not an object"
            return
        for key, item in value.items():
            yield from _value(item, kind, inner, f"{path}.{key}")
    elif name == "ListObject":
        yield from _list_violations(value, (kind, inner), path)
    elif name == "ExpandableField":
        if isinstance(value, dict):
            yield from _value(value, kind, inner, path)
        elif not isinstance(value, str) or not value:
            yield f"{path} is a {type(value).__name__}, not an id"
    elif name == "Union":
        yield from _union(value, kind, inner, path)
    else:
        message = f"unexpected annotation {name}[…] at {path}"
        raise ValueError(message)


def _union(value: Any, kind: Kind, inner: ast.expr, path: str) -> Iterator[str]:
    """`Union[Literal[…], str]`: the choices count; of classes, the one that fits best."""
    members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    literal = [member for member in members if _argument(_parsed(member), "Literal") is not None]
    found = [list(_value(value, kind, member, path)) for member in literal or members]
    yield from min(found, key=len)
