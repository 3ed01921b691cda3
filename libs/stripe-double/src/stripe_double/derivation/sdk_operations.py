"""The operations of the official SDK: route and the class of their parameters."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from stripe_double.derivation.sdk_source import Module

_ID = re.compile(r"\{[a-z_]+\}")


@dataclass(frozen=True)
class SdkOperation:
    """`route` is `METHOD /v1/path/{id}`; `params` names a class of `module`, or is None."""

    route: str
    module: Module
    params: str | None


def operations_of(module: Module) -> Iterator[SdkOperation]:
    """What the synchronous methods of a service module request."""
    for service in module.classes.values():
        for method in service.body:
            if not isinstance(method, ast.FunctionDef):
                continue
            for call in ast.walk(method):
                if _is_request(call):
                    yield SdkOperation(_route(call), module, _params(method))


def _is_request(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"_request", "_request_stream"}
    )


def _route(call: ast.AST) -> str:
    if not isinstance(call, ast.Call):
        message = "a request is a call"
        raise TypeError(message)
    method, path = (_text(argument) for argument in call.args[:2])
    return f"{method.upper()} {_ID.sub('{id}', path)}"


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value  # "…".format(…)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    message = f"not a literal method or path: {ast.unparse(node)}"
    raise ValueError(message)


def _params(method: ast.FunctionDef) -> str | None:
    for argument in method.args.args:
        if argument.arg == "params" and argument.annotation is not None:
            names = [
                node.value
                for node in ast.walk(argument.annotation)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
            return names[0] if names else None
    return None
