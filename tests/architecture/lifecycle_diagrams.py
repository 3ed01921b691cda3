"""State diagrams of ARCHITECTURE.md, drawn from the tables themselves.

python -m tests.architecture.lifecycle_diagrams      writes them into the page
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from billing_common.domain.checkout_session import SESSION
from billing_common.domain.idempotency import OPERATION
from billing_common.domain.lifecycle import Lifecycle
from billing_common.domain.payment_link import PAYMENT_LINK
from billing_common.domain.subscription import EXPECTED
from billing_common.domain.webhook_event import WEBHOOK_EVENT

PAGE: Final = Path(__file__).resolve().parents[2] / "ARCHITECTURE.md"
STRICT: Final[tuple[Lifecycle[Any, Any], ...]] = (OPERATION, SESSION, PAYMENT_LINK, WEBHOOK_EVENT)
_BLOCK: Final = re.compile(r"<!-- diagram: (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def strict_diagram(table: Lifecycle[Any, Any]) -> str:
    """One arrow per pair of the table; every initial and terminal state is marked."""
    lines = [f"    [*] --> {state}" for state in sorted(table.initial)]
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, event), target in table.transitions.items():
        arrows.setdefault((state.value, target.value), []).append(event.value)
    lines += [
        f"    {source} --> {target}: {', '.join(sorted(events))}"
        for (source, target), events in sorted(arrows.items())
    ]
    lines += [f"    {state} --> [*]" for state in sorted(table.terminal)]
    return _fenced(lines)


def observational_diagram() -> str:
    """What Stripe is expected to do with a subscription."""
    lines = [
        f"    {source} --> {target}"
        for source, targets in sorted(EXPECTED.items())
        for target in sorted(targets)
    ]
    return _fenced(lines)


def diagrams() -> dict[str, str]:
    """By the name in the page's marks."""
    found = {table.name: strict_diagram(table) for table in STRICT}
    return {**found, "subscription": observational_diagram()}


def with_diagrams(page: str) -> str:
    """The page with every marked block drawn anew. KeyError: a mark that names no table."""
    drawn = diagrams()
    return _BLOCK.sub(
        lambda block: f"<!-- diagram: {block[1]} -->\n{drawn[block[1]]}\n<!-- end -->", page
    )


def marked(page: str) -> set[str]:
    """The names of the blocks in the page."""
    return {block[1] for block in _BLOCK.finditer(page)}


def _fenced(lines: list[str]) -> str:
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def states_of(table: Lifecycle[Any, Any]) -> set[StrEnum]:
    """Every state that the table names."""
    named = {state for state, _ in table.transitions} | set(table.transitions.values())
    return named | set(table.initial) | set(table.terminal)


if __name__ == "__main__":
    PAGE.write_text(with_diagrams(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
