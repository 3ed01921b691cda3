"""Form bodies and query strings with brackets: `items[0][price]=x`, `expand[]=y`."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from stripe_double.engine.errors import ApiError, invalid_request
from stripe_double.engine.records import JsonObject

_NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_MAX_FIELDS = 1000
MAX_DEPTH = 30
"""No parameter of Stripe is nested half as deep."""


def decode(text: str) -> JsonObject:
    """Nested dicts and lists of strings. Malformed: ApiError 400.

    Names 0, 1, 2, … make a list; whether a list was meant, the parameter table knows.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError) as error:
        raise invalid_request("Invalid request: the parameters could not be decoded.") from error
    tree: JsonObject = {}
    for name, value in pairs:
        match = _NAME.match(name)
        if match is None:
            raise invalid_request(f"Invalid parameter name: {name}", param=name)
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        if len(path) > MAX_DEPTH:
            raise _too_deep()
        _set(tree, path, value, name)
    return {name: _as_lists(child) for name, child in tree.items()}


def decode_json(text: str) -> JsonObject:
    """The JSON body of a v2 request as the same kind of tree: scalars become strings, null "".

    Malformed: ApiError 400.
    """
    try:
        tree = json.loads(text) if text else {}
        json.dumps(tree, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except ValueError as error:
        raise invalid_request("Invalid request: the body is not JSON.") from error
    except RecursionError as error:
        raise _too_deep() from error
    if not isinstance(tree, dict):
        raise invalid_request("Invalid request: the body must be a JSON object.")
    return {name: _as_strings(value, 1) for name, value in tree.items()}


def _too_deep() -> ApiError:
    return invalid_request(f"Invalid request: nested deeper than {MAX_DEPTH} levels.")


def _as_strings(node: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise _too_deep()
    if isinstance(node, dict):
        return {name: _as_strings(child, depth + 1) for name, child in node.items()}
    if isinstance(node, list):
        return [_as_strings(child, depth + 1) for child in node]
    if isinstance(node, bool):
        return "true" if node else "false"
    return "" if node is None else str(node)


def _set(tree: JsonObject, path: list[str], value: str, name: str) -> None:
    node = tree
    for step in path[:-1]:
        step = step or str(len(node))  # noqa: PLW2901
        node = node.setdefault(step, {})
        if not isinstance(node, dict):
            raise invalid_request(f"Invalid parameter: {name} is given twice", param=name)
    last = path[-1] or str(len(node))
    if isinstance(node.get(last), dict):
        raise invalid_request(f"Invalid parameter: {name} is given twice", param=name)
    node[last] = value


def _as_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    children = {name: _as_lists(child) for name, child in node.items()}
    if children and all(str(index) in children for index in range(len(children))):
        return [children[str(index)] for index in range(len(children))]
    return children
