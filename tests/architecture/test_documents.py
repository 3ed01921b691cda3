"""Documents that a tool can check are checked; the others say so."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.architecture.lifecycle_diagrams import PAGE, diagrams, marked, with_diagrams
from tests.architecture.source_tree import ROOT, production_modules, tracked_files

from projection.decisions.event import RefusalCode

SPEC = importlib.util.spec_from_file_location("traceability", ROOT / "tools/traceability.py")


@pytest.fixture(scope="module")
def traceability() -> Iterator[ModuleType]:
    assert SPEC is not None
    assert SPEC.loader is not None
    module = importlib.util.module_from_spec(SPEC)
    sys.modules["traceability"] = module
    SPEC.loader.exec_module(module)
    yield module
    del sys.modules["traceability"]


def test_the_traceability_page_is_current(traceability: ModuleType) -> None:
    committed = (ROOT / traceability.PAGE).read_text()
    assert committed == traceability.render(traceability.read_trace()), (
        "run: python tools/traceability.py"
    )


def test_every_marker_names_a_requirement(traceability: ModuleType) -> None:
    trace = traceability.read_trace()
    assert trace.unknown_ids() == set()
    assert len({requirement.id for requirement in trace.requirements}) == len(trace.requirements)
    assert len(trace.seed_rows) == 187, "every row of the seed's matrix"


def test_what_is_said_to_be_built_exists(traceability: ModuleType) -> None:
    sources = [ROOT, *ROOT.glob("libs/*/src"), *ROOT.glob("services/*/src")]
    nowhere = [
        f"{identifier}: {path}"
        for identifier, entry in traceability.read_trace().built.items()
        for path in entry["paths"]
        if not any((source / path).exists() for source in sources)
    ]
    assert nowhere == []


def test_a_tested_requirement_says_where_it_is_built(traceability: ModuleType) -> None:
    trace = traceability.read_trace()
    assert sorted(set(trace.proofs) - set(trace.built)) == []


MARKERS = """
import pytest
pytestmark = [pytest.mark.slow, pytest.mark.requirement("A-01")]

@pytest.mark.requirement("B-01")
def test_one(): ...

@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.requirement("C-01"))])
async def test_two(x): ...

class TestThree:
    pytestmark = pytest.mark.requirement("D-01")
    def test_inner(self): ...

@pytest.mark.requirement("E-01")
def not_a_test(): ...
"""


def test_markers_are_found_wherever_they_may_stand(traceability: ModuleType) -> None:
    assert set(traceability.marked_tests(ast.parse(MARKERS))) == {
        ("test_one", "A-01"),
        ("test_one", "B-01"),
        ("test_two", "A-01"),
        ("test_two", "C-01"),
        ("TestThree::test_inner", "A-01"),
        ("TestThree::test_inner", "D-01"),
    }


def test_an_unknown_marker_is_refused(traceability: ModuleType) -> None:
    trace = traceability.Trace(
        requirements=[], seed_rows=[], proofs={"X-01": [traceability.Proof("tests/x.py", "test")]}
    )
    with pytest.raises(ValueError, match="X-01"):
        traceability.render(trace)


def test_the_state_diagrams_are_current() -> None:
    page = PAGE.read_text()
    assert marked(page) == set(diagrams())
    assert page == with_diagrams(page), "run: python -m tests.architecture.lifecycle_diagrams"


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OURS = {path.parent.name for path in ROOT.glob("*/*/pyproject.toml")}


def _direct_dependencies() -> set[str]:
    lines = [
        line
        for path in ROOT.glob("*/*/pyproject.toml")
        for line in tomllib.loads(path.read_text())["project"]["dependencies"]
    ]
    lines += (ROOT / "requirements/dev.in").read_text().splitlines()
    names = {
        found[0].lower()
        for line in lines
        if not line.startswith("#") and (found := _NAME.match(line))
    }
    return names - _OURS


def test_every_dependency_has_its_reason() -> None:
    page = (ROOT / "docs/dependencies.md").read_text()
    rows = re.findall(r"^\| ([a-z0-9._-]+) \| (.{4,}) \|$", page, re.MULTILINE)
    assert {name for name, _ in rows} == _direct_dependencies()


def _guardrails() -> Iterator[str]:
    for module in production_modules():
        for node in ast.walk(module.tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "guardrail"
            ):
                for inner in ast.walk(node.args[0]):
                    if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                        yield inner.value


@pytest.mark.requirement("OPS-02")
def test_every_guardrail_is_in_the_runbook_and_the_other_way_round() -> None:
    page = (ROOT / "docs/runbooks/guardrails.md").read_text()
    listed = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert listed == set(_guardrails())


@pytest.mark.parametrize("page", ["docs/runbooks/dead-letter.md", "services/projection/README.md"])
def test_every_reason_for_a_failed_event_is_explained(page: str) -> None:
    text = (ROOT / page).read_text()
    assert [code.value for code in RefusalCode if f"`{code.value}`" not in text] == []


_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
PAGES = [path for path in tracked_files() if path.suffix == ".md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = [
        target
        for target in _LINK.findall(page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_decisions_are_numbered_without_gaps_and_have_their_parts() -> None:
    pages = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(len(pages)))
    for page in pages[1:]:
        text = page.read_text()
        assert text.startswith(f"# {page.name[:4]}: ")
        assert re.search(r"^- Status: (proposed|accepted|replaced by \d{4})$", text, re.MULTILINE)
        for part in ("Context", "Decision", "Consequences", "Alternatives"):
            assert f"\n## {part}\n" in text
