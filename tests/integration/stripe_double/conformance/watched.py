"""Typed parameters that remember what a handler read of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Watched(dict[str, Any]):
    """A dict of parameters; `unread` names the leaves that nobody looked at."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__({name: _watched(value) for name, value in values.items()})
        self._seen: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self._seen.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._seen.add(name)
        return super().get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        self._seen.add(name)
        return super().pop(name, *default)

    def __contains__(self, name: object) -> bool:
        self._seen.add(str(name))
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        # Overridden so that `{**params}` comes through `__getitem__`.
        return super().__iter__()

    def keys(self) -> Any:
        return super().keys()

    def items(self) -> Any:
        self._seen.update(super().keys())
        return super().items()

    def values(self) -> Any:
        self._seen.update(super().keys())
        return super().values()

    def unread(self, path: str = "") -> Iterator[str]:
        """Paths as a Model writes them."""
        for name in tuple(super().keys()):
            where = f"{path}.{name}" if path else name
            if name not in self._seen:
                yield where
            else:
                yield from _unread(super().__getitem__(name), where)


def _watched(value: Any) -> Any:
    if isinstance(value, dict):
        return Watched(value)
    if isinstance(value, list):
        return [_watched(item) for item in value]
    return value


def _unread(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Watched):
        yield from value.unread(path)
    elif isinstance(value, list):
        for item in value:
            yield from _unread(item, f"{path}[]")
