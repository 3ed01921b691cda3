"""The official SDK as syntax trees: where its modules are and what their names mean."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path


def sdk_folder() -> Path:
    """The folder of the installed `stripe` package, or RuntimeError. It is not imported."""
    spec = find_spec("stripe")
    if spec is None or spec.origin is None:
        message = "the parameter tables are derived from the package stripe, which is not installed"
        raise RuntimeError(message)
    return Path(spec.origin).parent


@dataclass(frozen=True)
class Module:
    """One source file of the SDK."""

    folder: Path
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.path.read_text("utf-8"))

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """Its top-level classes."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def imports(self) -> dict[str, str]:
        """Name -> the `stripe.…` module it comes from, also those for type checkers only."""
        return {
            alias.asname or alias.name: node.module
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }

    def origin_of(self, name: str) -> Module:
        """The module that defines a class named here; KeyError if none does."""
        if name in self.classes:
            return self
        path = self.folder.joinpath(*self.imports[name].split(".")[1:])
        return _module(self.folder, path.with_suffix(".py"))


@cache
def _module(folder: Path, path: Path) -> Module:
    """One object for each file, so that it is read once."""
    return Module(folder, path)


def service_modules(folder: Path) -> list[Module]:
    """Every module with the methods of a service, in a stable order."""
    return [Module(folder, path) for path in sorted(folder.rglob("*_service.py"))]
