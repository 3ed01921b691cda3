"""Finds, in the code itself, every write to a row that somebody may hold a lease on."""

from __future__ import annotations

import ast
import importlib
from dataclasses import dataclass

from sqlalchemy import Table
from tests.architecture.source_tree import Module, production_modules

from billing_common.storage.tables import metadata

# What writes, and which argument names the table.
WRITES = {"update": 0, "delete": 0, "update_rows": 1}


@dataclass(frozen=True, slots=True)
class LeasedWrite:
    """`minds_the_lease`: it, or a helper of its module that it calls, reads lease_version."""

    name: str
    tables: frozenset[str]
    minds_the_lease: bool


def leased_writes() -> dict[str, LeasedWrite]:
    """By module.function: all updates and deletes on a leased table, or that mind a lease."""
    found = {}
    for module in production_modules():
        for function in _functions(module.tree).values():
            write = _leased_write(module, function)
            if write is not None:
                found[write.name] = write
    return found


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name: node for node in ast.walk(tree) if isinstance(node, kinds)}


def _leased_write(
    module: Module, function: ast.FunctionDef | ast.AsyncFunctionDef
) -> LeasedWrite | None:
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    named = [call for call in calls if isinstance(call.func, ast.Name)]
    writes = [call for call in named if call.func.id in WRITES]  # type: ignore[attr-defined]
    if not writes:
        return None
    others = _functions(module.tree)
    called = {call.func.id for call in named} & others.keys()  # type: ignore[attr-defined]
    minds = any(_reads_lease(node) for node in (function, *(others[n] for n in called)))
    tables = frozenset(
        table.name
        for write in writes
        for table in _tables_of(module, function, write)
        if "lease_version" in table.c
    )
    if not tables and not minds:
        return None
    return LeasedWrite(f"{module.name}.{function.name}", tables, minds)


def _reads_lease(function: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr == "lease_version"
        for node in ast.walk(function)
    )


def _tables_of(module: Module, function: ast.AST, write: ast.Call) -> list[Table]:
    """What `update(t)` writes to: a name of the module, or a local name for one."""
    assert isinstance(write.func, ast.Name)
    target = write.args[WRITES[write.func.id]]
    names = {
        node.targets[0].id: node.value.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Name)
    }
    if not isinstance(target, ast.Name):
        return list(metadata.tables.values())
    value = getattr(importlib.import_module(module.name), names.get(target.id, target.id), None)
    # A parameter may be any table.
    return [value] if isinstance(value, Table) else list(metadata.tables.values())
