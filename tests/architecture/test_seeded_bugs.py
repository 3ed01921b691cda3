"""The seeded bugs of `make mutants` do not rot: each still applies, and its tests still exist."""

from __future__ import annotations

import ast

import pytest
from tests.architecture.source_tree import ROOT
from tests.mutants.seeded_bugs import BUGS, SeededBug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_seeded_bug_applies(bug: SeededBug) -> None:
    source = (ROOT / bug.file).read_text()

    assert source.count(bug.old) == 1, "its text stands exactly once in the file"
    ast.parse(source.replace(bug.old, bug.new))
    assert bug.tests
    for test in bug.tests:
        file, _, function = test.partition("::")
        assert (ROOT / file).is_file()
        assert not function or f"def {function}(" in (ROOT / file).read_text()


def test_there_are_enough_and_each_has_its_name() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 25
