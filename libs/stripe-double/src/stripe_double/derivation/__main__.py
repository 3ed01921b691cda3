"""Writes the tables of `wire/`, or with `--check` says whether they are as the SDK has them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stripe_double.derivation.tables import known_paths_text, sdk_operations, tables, tables_text

_WIRE = Path(__file__).parent.parent / "wire"


def derived() -> dict[Path, str]:
    """File -> text as derived now."""
    rows = sdk_operations()
    return {
        _WIRE / "parameters.json": tables_text(tables(rows)),
        _WIRE / "known_paths.txt": known_paths_text(rows),
    }


def main() -> int:
    """0 when written or unchanged, 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m stripe_double.derivation", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 on a difference")
    check_only = parser.parse_args().check
    stale = 0
    for path, text in derived().items():
        if path.read_text("utf-8") == text:
            continue
        stale += 1
        sys.stdout.write(f"{path.name} {'differs' if check_only else 'written'}\n")
        if not check_only:
            path.write_text(text, "utf-8")
    return 1 if check_only and stale else 0


if __name__ == "__main__":
    sys.exit(main())
