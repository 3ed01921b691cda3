"""A class of typed parameters as a JSON schema, read from its annotations."""

from __future__ import annotations

import ast
from typing import Any

from stripe_double.derivation.sdk_source import Module

Schema = dict[str, Any]

_OPTIONAL = frozenset({"NotRequired", "Optional"})
_PLAIN: dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "float": {"type": "number"},
    "Decimal": {"format": "decimal", "type": "string"},
    "Any": {"type": "object"},
}
_EMPTY: Schema = {"enum": [""], "type": "string"}


def schema_of(module: Module, class_name: str) -> Schema:
    """The object schema of a TypedDict; KeyError or ValueError for what it cannot read."""
    home = module.origin_of(class_name)
    properties: dict[str, Schema] = {}
    required = []
    for node in home.classes[class_name].body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        annotation = _parsed(node.annotation)
        name = node.target.id
        inner = _argument(annotation, _OPTIONAL)
        if inner is None:
            required.append(name)
        properties[name] = _schema(home, annotation if inner is None else _parsed(inner))
    schema: Schema = {"properties": dict(sorted(properties.items())), "type": "object"}
    if required:
        schema["required"] = sorted(required)
    return schema


def _parsed(node: ast.expr) -> ast.expr:
    """Quoted annotations are read as what they quote."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ast.parse(node.value, mode="eval").body
    return node


def _argument(node: ast.expr, names: frozenset[str]) -> ast.expr | None:
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) in names:
        return node.slice
    return None


def _schema(module: Module, node: ast.expr) -> Schema:
    node = _parsed(node)
    if isinstance(node, ast.BinOp) or _argument(node, frozenset({"Union"})) is not None:
        return _union(module, _members(node))
    if isinstance(node, ast.Subscript):
        return _generic(module, ast.unparse(node.value), node.slice)
    if isinstance(node, ast.Name):
        plain = _PLAIN.get(node.id)
        return dict(plain) if plain is not None else schema_of(module, node.id)
    message = f"unexpected annotation {ast.unparse(node)} in {module.path.name}"
    raise ValueError(message)


def _generic(module: Module, name: str, inner: ast.expr) -> Schema:
    if name == "List":
        return {"items": _schema(module, inner), "type": "array"}
    if name == "Literal":
        return {"enum": sorted(_choices(inner)), "type": "string"}
    if name == "Dict" and isinstance(inner, ast.Tuple):
        return {"additionalProperties": _schema(module, inner.elts[1]), "type": "object"}
    if name in _OPTIONAL:
        return _union(module, [inner, ast.parse("Literal['']", mode="eval").body])
    message = f"unexpected annotation {name}[…] in {module.path.name}"
    raise ValueError(message)


def _choices(node: ast.expr) -> list[str]:
    choices = node.elts if isinstance(node, ast.Tuple) else [node]
    return [str(ast.literal_eval(choice)) for choice in choices]


def _members(node: ast.expr) -> list[ast.expr]:
    node = _parsed(node)
    if isinstance(node, ast.BinOp):
        return _members(node.left) + _members(node.right)
    inner = _argument(node, frozenset({"Union"}))
    if isinstance(inner, ast.Tuple):
        return [member for part in inner.elts for member in _members(part)]
    return [node]


def _union(module: Module, members: list[ast.expr]) -> Schema:
    """`Literal[…] | str` is Stripe's way to say that choices may be added: the choices count."""
    choices: set[str] = set()
    others = []
    for member in members:
        literal = _argument(member, frozenset({"Literal"}))
        if literal is not None:
            choices |= set(_choices(literal))
        elif _argument(member, frozenset({"UntypedStripeObject"})) is None:
            others.append(member)
    if choices - {""}:
        others = [member for member in others if ast.unparse(member) != "str"]
    options = [_schema(module, member) for member in others]
    if choices:
        options.append(_EMPTY if choices == {""} else {"enum": sorted(choices), "type": "string"})
    return options[0] if len(options) == 1 else {"anyOf": options}
