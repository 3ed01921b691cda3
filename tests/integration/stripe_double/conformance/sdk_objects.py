"""Stripe objects compared with the resource classes of the official SDK.

A field that is not Optional must be there and not null; a value has the annotated type; a choice
is one of the annotated ones; a field that the class does not know is a violation, so that nothing
survives that Stripe took away. The classes are read as source: their annotations are not made to
be evaluated.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from stripe_double.derivation.sdk_source import Module, sdk_folder

REQUIRED: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "required_fields.json").read_text("utf-8")
)["objects"]
_OBJECT_NAME = re.compile(r'OBJECT_NAME: ClassVar\[\s*Literal\["([^"]+)"\]')
# Events that say what was before.
CHANGES = ("updated", "refunded", "detached", "paused", "resumed")
_OF_A_TYPE = {"data", "related_object"}
_PLAIN = {"str": str, "int": int, "bool": bool, "Decimal": str}


@dataclass(frozen=True, eq=False)
class Kind:
    """A class of the SDK, and the classes it is written in."""

    module: Module
    scopes: tuple[ast.ClassDef, ...]

    @property
    def node(self) -> ast.ClassDef:
        return self.scopes[-1]

    @cached_property
    def object_name(self) -> str | None:
        return _object_name(self.node)

    @cached_property
    def fields(self) -> dict[str, ast.expr]:
        """Name -> what its annotation says."""
        return {
            node.target.id.removesuffix("_"): _parsed(node.annotation)
            for node in self.node.body
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and not ast.unparse(node.annotation).startswith("ClassVar")
        }

    @cache  # noqa: B019 - kinds live as long as the tests
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
def _modules() -> dict[str, Module]:
    """`object` name -> the module of its class; only their texts are searched here."""
    found: dict[str, Module] = {}
    folder = sdk_folder()
    for path in sorted(folder.rglob("_*.py")):
        relative = path.relative_to(folder).parts
        if "params" in relative or "events" in relative or path.name.endswith("_service.py"):
            continue
        for name in _OBJECT_NAME.findall(path.read_text("utf-8")):
            found.setdefault(name, Module(folder, path))
    return found


@cache
def kind_of(name: str) -> Kind:
    """The class of an `object` name; KeyError if the SDK has none."""
    module = _modules()[name]
    for node in module.classes.values():
        if _object_name(node) == name:
            return Kind(module, (node,))
    raise KeyError(name)


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
        wanted = {"id", "object", "deleted"}
        if name == "discount":  # keeps what it was
            wanted |= kind_of("discount").fields.keys() - ({"end"} - node.keys())
        if node.keys() != wanted:
            yield f"{path}<{name}> deleted has {sorted(node.keys() ^ wanted)}"
    elif name == "event" or name == "v2.core.event":
        yield from event_violations(node, path)
    elif str(name).startswith("v2.") and node.keys() == {"id", "object"}:
        return  # deleted, as v2 says it
    elif name not in _modules():
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
    needless = kind_of(name).fields.keys() - REQUIRED[name].keys() if name in REQUIRED else ()
    yield from _class_violations(node, kind_of(name), here, frozenset(needless))


def event_violations(event: dict[str, Any], path: str) -> Iterator[str]:
    here = f"{path}<event {event.get('type')}>"
    if event["object"] != "event":
        yield from _thin_violations(event, here)
        return
    envelope = {**event, "data": {"object": {}}}
    yield from _class_violations(envelope, kind_of("event"), here)
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


def _thin_violations(event: dict[str, Any], here: str) -> Iterator[str]:
    """`data` and `related_object` are in the SDK's class of each type, not in the general one."""
    general = {name: value for name, value in event.items() if name not in _OF_A_TYPE}
    yield from _class_violations(general, kind_of(event["object"]), here)
    if not isinstance(event["data"], dict):
        yield f"{here}.data is no object"
    related = event["related_object"]
    if related is not None and {type(related.get(n)) for n in ("id", "type", "url")} != {str}:
        yield f"{here}.related_object is {related}"


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
    for name, parsed in kind.fields.items():
        optional = _argument(parsed, "Optional") is not None or name in needless
        if not optional and name not in node:
            yield f"{path}.{name} is missing"
        elif name in node:
            yield from _value(node[name], kind, parsed, f"{path}.{name}")
    for name in sorted(node.keys() - kind.fields.keys()):
        yield f"{path}.{name} is not a field of {kind.node.name}"


def _parsed(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _read(node.value)
    return node


@cache
def _read(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _argument(node: ast.expr, name: str) -> ast.expr | None:
    if isinstance(node, ast.Subscript) and _name(node.value) == name:
        return node.slice
    return None


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ast.unparse(node).split(".")[-1]


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
        yield from _generic(value, kind, _name(node.value), node.slice, path)
    elif isinstance(node, ast.Name | ast.Attribute):
        yield from _plain(value, kind, _name(node), path)
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
        own = meant.object_name
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
        if value not in [c.value for c in choices if isinstance(c, ast.Constant)]:
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
