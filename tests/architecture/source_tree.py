"""Where the production code is, and which files git tracks."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SERVICES: Final = ("api_gateway", "webhook_ingest", "checkout", "projection", "reconciler")


@dataclass(frozen=True)
class Module:
    """One production file. `name` is dotted; `place` is its path below a `src` folder."""

    path: Path
    name: str
    place: str
    tree: ast.Module

    def is_below(self, *packages: str) -> bool:
        """Whether it is one of the packages or inside one."""
        return any(self.name == name or self.name.startswith(name + ".") for name in packages)


def snippet(code: str, *, name: str = "checkout.handlers.example") -> Module:
    """A module that exists only in a test."""
    place = name.replace(".", "/") + ".py"
    return Module(ROOT / place, name, place, ast.parse(code))


@cache
def production_modules() -> tuple[Module, ...]:
    """Every Python file below libs/*/src and services/*/src."""
    return tuple(
        _module(path, source)
        for source in (*sorted(ROOT.glob("libs/*/src")), *sorted(ROOT.glob("services/*/src")))
        for path in sorted(source.rglob("*.py"))
    )


def _module(path: Path, source: Path) -> Module:
    place = path.relative_to(source)
    parts = place.with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(path, name, place.as_posix(), ast.parse(path.read_text(encoding="utf-8")))


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that git tracks and that exists here."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    return tuple(ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file())
