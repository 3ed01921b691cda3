"""Writes docs/traceability.md: every requirement, where it is built, which tests prove it.

    python tools/traceability.py            write the page
    python tools/traceability.py --check    exit status 1 when the committed page is not current

Tests are read, never imported: a marker counts where it stands. Standard library only.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = Path("docs/traceability.md")
MARKER: Final = "requirement"
_REQUIREMENT_ROW: Final = re.compile(r"\| ([A-Z]+-\d+) \| ([S+]) \| (.+) \|\Z")
_SEED_ROW: Final = re.compile(r"\| (.+) \| (-|[A-Z]+-\d+(?:, [A-Z]+-\d+)*) \|\Z")


@dataclass(frozen=True)
class Requirement:
    """One row of docs/requirements.md."""

    id: str
    origin: str
    text: str
    area: str


@dataclass(frozen=True, order=True)
class Proof:
    """A test that carries a marker: its file (from the root) and its name."""

    path: str
    name: str


@dataclass(frozen=True)
class SeedRow:
    """One row of the seed's matrix and the IDs that answer it."""

    section: str
    text: str
    ids: tuple[str, ...]


@dataclass
class Trace:
    """All that the page says."""

    requirements: list[Requirement]
    seed_rows: list[SeedRow]
    proofs: dict[str, list[Proof]] = field(default_factory=dict)
    built: dict[str, dict[str, Any]] = field(default_factory=dict)

    def unknown_ids(self) -> set[str]:
        """IDs that somebody names and that are not requirements."""
        known = {requirement.id for requirement in self.requirements}
        named = {*self.proofs, *self.built}
        named.update(identifier for row in self.seed_rows for identifier in row.ids)
        return named - known


def read_trace(root: Path = ROOT) -> Trace:
    """Read requirements, the seed's rows, the map of code, and every test file."""
    proofs: dict[str, list[Proof]] = {}
    for path in sorted((root / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name, identifier in marked_tests(tree):
            proof = Proof(path.relative_to(root).as_posix(), name)
            found = proofs.setdefault(identifier, [])
            if proof not in found:
                found.append(proof)
    return Trace(
        requirements=list(_requirements((root / "docs/requirements.md").read_text())),
        seed_rows=list(_seed_rows((root / "docs/seed-matrix.md").read_text())),
        proofs={identifier: sorted(found) for identifier, found in proofs.items()},
        built=tomllib.loads((root / "docs/built-in.toml").read_text()),
    )


def marked_tests(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(test name, requirement ID) for every marker: on a function, on its parameters, on a class,
    or on the whole module by `pytestmark`."""
    of_module = _pytestmark_ids(tree.body)
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            of_class = of_module | _ids_in(node.decorator_list) | _pytestmark_ids(node.body)
            for inner in node.body:
                yield from _of_function(inner, of_class, prefix=f"{node.name}::")
        else:
            yield from _of_function(node, of_module, prefix="")


def _of_function(node: ast.stmt, outer: set[str], *, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
        for identifier in sorted(outer | _ids_in(node.decorator_list)):
            yield prefix + node.name, identifier


def _pytestmark_ids(body: list[ast.stmt]) -> set[str]:
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
        ):
            found |= _ids_in([node.value])
    return found


def _ids_in(expressions: list[ast.expr]) -> set[str]:
    found: set[str] = set()
    for expression in expressions:
        for node in ast.walk(expression):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == MARKER
            ):
                found |= {
                    argument.value
                    for argument in node.args
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                }
    return found


def _requirements(page: str) -> Iterator[Requirement]:
    area = ""
    for line in page.splitlines():
        if line.startswith("## "):
            area = line[3:]
        row = _REQUIREMENT_ROW.match(line)
        if row:
            yield Requirement(row.group(1), row.group(2), row.group(3), area)


def _seed_rows(page: str) -> Iterator[SeedRow]:
    section = ""
    for line in page.splitlines():
        if line.startswith("## "):
            section = line[3:]
        row = _SEED_ROW.match(line)
        if row and row.group(1) != "Seed row" and not row.group(1).startswith("---"):
            ids = () if row.group(2) == "-" else tuple(row.group(2).split(", "))
            yield SeedRow(section, row.group(1), ids)


def render(trace: Trace) -> str:
    """The page. Raises ValueError when an ID is named that is not a requirement."""
    unknown = trace.unknown_ids()
    if unknown:
        raise ValueError(f"not in docs/requirements.md: {', '.join(sorted(unknown))}")
    return "\n".join([*_summary(trace), *_areas(trace), *_without_test(trace), *_seed(trace), ""])


def _summary(trace: Trace) -> list[str]:
    total = len(trace.requirements)
    tested = sum(requirement.id in trace.proofs for requirement in trace.requirements)
    partly = sum("missing" in entry for entry in trace.built.values())
    return [
        "<!-- Generated by tools/traceability.py from the markers in tests/. Do not edit. -->",
        "# Traceability",
        "",
        f"{tested} of {total} requirements have at least one test that names them; {partly} of all "
        "are known to be built only in part, which their row says. A test that names an ID proves "
        "what its own name says, not more. IDs without any test are listed plainly below.",
        "",
        'Tests name an ID with `@pytest.mark.requirement("ID")`. `docs/built-in.toml` says '
        "where an ID is built and what is missing. After a change: `python tools/traceability.py`.",
    ]


def _areas(trace: Trace) -> Iterator[str]:
    area = ""
    for requirement in trace.requirements:
        if requirement.area != area:
            area = requirement.area
            yield from ("", f"## {area}", "")
            yield "| ID | | Requirement | Built in | Tests |"
            yield "| --- | --- | --- | --- | --- |"
        entry = trace.built.get(requirement.id, {})
        text = requirement.text
        if "missing" in entry:
            text += f" <br>**Missing:** {entry['missing']}"
        paths = ", ".join(f"`{path}`" for path in entry.get("paths", ())) or "not built"
        tests = _tests(trace.proofs.get(requirement.id, ())) or "none"
        yield f"| {requirement.id} | {requirement.origin} | {text} | {paths} | {tests} |"


def _tests(proofs: Iterator[Proof] | list[Proof] | tuple[Proof, ...]) -> str:
    by_path: dict[str, list[str]] = {}
    for proof in proofs:
        by_path.setdefault(proof.path, []).append(proof.name)
    return " <br>".join(
        f"[{path.removeprefix('tests/')}](../{path})::{', '.join(names)}"
        for path, names in by_path.items()
    )


def _without_test(trace: Trace) -> Iterator[str]:
    missing = [r.id for r in trace.requirements if r.id not in trace.proofs]
    yield from ("", "## Requirements without a test", "")
    yield f"{len(missing)}: " + (", ".join(missing) or "none") + "."


def _seed(trace: Trace) -> Iterator[str]:
    states = [_seed_state(row, trace.proofs) for row in trace.seed_rows]
    yield from ("", "## The seed's matrix", "")
    yield (
        f"{len(states)} rows of [seed-matrix.md](seed-matrix.md): {states.count('all')} with a "
        f"test for every ID, {states.count('some')} for some of them, {states.count('none')} for "
        "none yet. "
        "A dash: the row is about the matrix as a whole."
    )
    section = ""
    for row, state in zip(trace.seed_rows, states, strict=True):
        if row.section != section:
            section = row.section
            yield from ("", f"### {section}", "", "| Seed row | IDs | IDs with a test |")
            yield "| --- | --- | --- |"
        yield f"| {row.text} | {', '.join(row.ids) or '-'} | {state} |"


def _seed_state(row: SeedRow, proofs: Mapping[str, list[Proof]]) -> str:
    if not row.ids:
        return "-"
    tested = sum(identifier in proofs for identifier in row.ids)
    return "none" if not tested else "all" if tested == len(row.ids) else "some"


def main() -> int:
    """Exit status: 0 written or current, 1 not current or an unknown ID."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true", help="write nothing, only compare")
    options = arguments.parse_args()
    try:
        page = render(read_trace())
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    target = ROOT / PAGE
    if not options.check:
        target.write_text(page, encoding="utf-8")
        return 0
    if not target.exists() or target.read_text(encoding="utf-8") != page:
        sys.stderr.write(f"{PAGE} is not current: run python tools/traceability.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
