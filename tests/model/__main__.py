"""`make model`: the large worlds, then the canaries, with what was explored. Exit 1 on surprise."""

from __future__ import annotations

import sys

from tests.model.bugs import CANARIES
from tests.model.search import explore
from tests.model.setups import LARGE


def main() -> int:
    """Every line is one exhaustive run; a counterexample is printed shortest first."""
    is_good = True
    for name, setup in LARGE.items():
        result = explore(setup)
        _say(result.told(name))
        is_good &= result.violation is None and result.is_complete
    _say("\nSeeded bugs, each of which must be found:")
    for canary in CANARIES:
        result = explore(canary.seeded, states_max=1_000_000)
        _say(result.told(" + ".join(canary.names)))
        is_good &= result.violation is not None and canary.breaks in result.violation
    return 0 if is_good else 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
