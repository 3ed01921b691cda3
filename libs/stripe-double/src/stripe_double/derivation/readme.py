"""Writes the table of operations in the README from the operation table itself."""

from __future__ import annotations

import sys
from pathlib import Path

from stripe_double.resources.catalog import OPERATIONS

BEGIN = "<!-- operations: written by `python -m stripe_double.derivation.readme` -->"
END = "<!-- end of operations -->"
README = Path(__file__).parents[3] / "README.md"


def operations_table() -> str:
    """One line per family: its name, its path, its operations."""
    families: dict[str, list[str]] = {}
    for row in OPERATIONS:
        family, _, verb = row.name.rpartition(".")
        families.setdefault(family, []).append(verb)
    lines = [f"| `{family}` | {', '.join(verbs)} |" for family, verbs in sorted(families.items())]
    head = f"{len(OPERATIONS)} operations; a fault or `act` names one as `family.operation`."
    return "\n".join([head, "", "| family | operations |", "|---|---|", *lines])


def with_table(text: str) -> str:
    """The README with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{operations_table()}\n{END}{after}"


def main() -> int:
    """Write it; only from a source tree, where the README lies beside the package."""
    README.write_text(with_table(README.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
