from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

Say: TypeAlias = Callable[[str], None]


def default_cache_dir() -> Path:
    """Per user: ``$XDG_CACHE_HOME/holdfast`` or ``~/.cache/holdfast``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "holdfast"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one process at a time fills ``folder``; the others wait and then find it filled."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
