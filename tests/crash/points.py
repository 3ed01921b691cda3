"""Names every place where a process can die between two effects: each await and each `async with`.

The modules of the write path are loaded a second time, with every await going through `cross`. Not
a line of the product knows of it. A point is `module:function:n`, n-th await of that function, and
has two moments: before the awaited thing has begun, and after its result has arrived.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from types import CodeType, ModuleType
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")

# The write path: everything of checkout that awaits, and the edge of the transaction.
PREFIXES: Final = ("checkout.handlers", "checkout.repository", "checkout.subscribers")
SHARED: Final = (
    "billing_common.storage.transaction",
    "billing_common.storage.insert_once",
    "billing_common.storage.entity_locks",
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Crash(BaseException):
    """The process is dead. Nothing may catch it; what still runs is what the kernel would do."""


class Watch:
    """Notes the moments that are passed, and dies at one of them."""

    def __init__(self, crash_at: str | None = None) -> None:
        self.crash_at = crash_at
        self.reached: list[str] = []
        self.is_dead = False

    def passing(self, moment: str) -> None:
        """Raises Crash the first time that `crash_at` is passed."""
        if self.is_dead:
            return
        self.reached.append(moment)
        if moment == self.crash_at:
            self.is_dead = True
            raise Crash(moment)


_watches: list[Watch] = []


@contextmanager
def watched(watch: Watch) -> Iterator[Watch]:
    """The points are passed under this watch until the block ends."""
    _watches.append(watch)
    try:
        yield watch
    finally:
        _watches.remove(watch)


def _passing(moment: str) -> None:
    if _watches:
        _watches[-1].passing(moment)


async def cross(point: str, awaited: Awaitable[T]) -> T:
    """What every `await x` of the write path has become."""
    try:
        _passing(f"{point}:before")
    except Crash:
        if asyncio.iscoroutine(awaited):
            awaited.close()
        raise
    result = await awaited
    try:
        _passing(f"{point}:after")
    except Crash:
        graves.append(result)
        raise
    return result


# What a dead worker held in its hands: the kernel would close it.
graves: list[Any] = []


async def bury() -> None:
    """Close the connections of the dead."""
    while graves:
        left = graves.pop()
        if isinstance(left, AsyncConnection):
            await left.close()


class Scope(AbstractAsyncContextManager[Any]):
    """What every `async with x` of the write path has become: two points, in and out."""

    def __init__(self, point: str, inner: AbstractAsyncContextManager[Any]) -> None:
        self._point, self._inner = point, inner

    async def __aenter__(self) -> Any:
        _passing(f"{self._point}:before")
        return await self._inner.__aenter__()

    async def __aexit__(self, *error: Any) -> bool | None:
        result = await self._inner.__aexit__(*error)
        _passing(f"{self._point}:after")
        return result


class _Naming(ast.NodeTransformer):
    def __init__(self, module: str) -> None:
        self._module = module
        self._function: list[str] = []
        self._counts: dict[str, int] = {}
        self.points: list[str] = []

    def _next(self) -> str:
        function = ".".join(self._function)
        self._counts[function] = self._counts.get(function, 0) + 1
        point = f"{self._module}:{function}:{self._counts[function]}"
        self.points.append(point)
        return point

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            self._function.append(node.name)
            try:
                return self.generic_visit(node)
            finally:
                self._function.pop()
        if isinstance(node, ast.Await):
            point = self._next()
            inner = self.generic_visit(node)
            assert isinstance(inner, ast.Await)
            inner.value = _call("cross", point, inner.value)
            return inner
        if isinstance(node, ast.AsyncWith):
            for item in node.items:
                item.context_expr = _call("Scope", self._next(), item.context_expr)
            return self.generic_visit(node)
        assert not isinstance(node, ast.AsyncFor), "an `async for` has no points yet"
        return self.generic_visit(node)


def _call(what: str, point: str, argument: ast.expr) -> ast.Call:
    return ast.Call(
        ast.Name(f"__{what}__", ast.Load()), [ast.Constant(point), argument], keywords=[]
    )


def _pointed(module: str, source: str) -> tuple[ast.Module, list[str]]:
    naming = _Naming(module)
    tree = naming.visit(ast.parse(source))
    return ast.fix_missing_locations(tree), naming.points


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree, points = _pointed(fullname, self.get_data(path).decode())
        known_points.update(dict.fromkeys(points))
        return compile(tree, path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__cross__"], module.__dict__["__Scope__"] = cross, Scope
        super().exec_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        is_ours = fullname in SHARED or fullname.startswith(PREFIXES)
        if spec is None or not is_ours or not isinstance(spec.loader, importlib.abc.FileLoader):
            return None
        spec.loader = _Loader(fullname, str(spec.origin))
        spec.cached = None
        return spec


# Every point of every module that was loaded, in order.
known_points: dict[str, None] = {}


def load_pointed() -> dict[str, ModuleType]:
    """The write path with its points, beside the plain one, which stays as it was."""
    import checkout

    names = [name for name in sys.modules if _is_replaced(name)]
    plain = {name: sys.modules.pop(name) for name in names}
    parent = sys.modules["billing_common.storage"]
    before = {name.rsplit(".", 1)[1]: plain.get(name) for name in SHARED}
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        for name in (*SHARED, *_modules_of(checkout)):
            importlib.import_module(name)
        return {name: module for name, module in sys.modules.items() if _is_replaced(name)}
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _is_replaced(name)]:
            del sys.modules[name]
        sys.modules.update(plain)
        for name, module in before.items():
            if module is not None:
                setattr(parent, name, module)


def _is_replaced(name: str) -> bool:
    return name in SHARED or name == "checkout" or name.startswith("checkout.")


def _modules_of(package: ModuleType) -> list[str]:
    import pkgutil

    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [info.name for info in found if info.name.startswith(PREFIXES)]
