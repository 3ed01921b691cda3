"""The protocol of a checkout, explored whole: every interleaving, with the product's decisions."""

from __future__ import annotations

import sys

import pytest
from tests.model.bugs import CANARIES, Canary
from tests.model.search import explore
from tests.model.setups import SMALL


@pytest.mark.requirement("IDEM-10")
@pytest.mark.requirement("IDEM-11")
@pytest.mark.requirement("IDEM-13")
@pytest.mark.requirement("IDEM-20")
@pytest.mark.requirement("SCOPE-03")
@pytest.mark.parametrize("name", SMALL)
def test_no_interleaving_breaks_a_promise(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = explore(SMALL[name])

    told = result.told(name)
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert result.violation is None, told
    assert result.is_complete
    assert result.states > 1000, "a world in which nothing happens proves nothing"


@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: "+".join(canary.names))
def test_a_seeded_bug_is_found(canary: Canary) -> None:
    result = explore(canary.seeded, states_max=200_000, checks_liveness=False)

    told = result.told("+".join(canary.names))
    assert result.violation is not None, told
    assert canary.breaks in result.violation, told
    assert result.trace
