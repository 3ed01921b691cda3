"""`python -m bench projection|ingest|checkout|double|writes|all [--rounds N] [--count N]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import checkout_bench, double_bench, ingest_bench, projection_bench, writes_bench

BENCHES = {
    "projection": (projection_bench.main, 4000),
    "ingest": (ingest_bench.main, 6000),
    "checkout": (checkout_bench.main, 200),
    "double": (double_bench.main, 2000),
    "writes": (writes_bench.main, 400),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("which", choices=[*BENCHES, "all"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=None, help="events or purchases per round")
    parser.add_argument("--into", type=Path, default=Path("bench/results"))
    options = parser.parse_args()
    for name, (run, count) in BENCHES.items():
        if options.which in (name, "all"):
            run(rounds=options.rounds, count=options.count or count, folder=options.into)


if __name__ == "__main__":
    main()
