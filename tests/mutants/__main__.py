"""`make mutants`: each seeded bug in a scratch copy, and the tests that must see it.

`python -m tests.mutants [word ...]` tries only the bugs whose name contains a word. The working
tree is only read. Exit 1 if one survives, or if the tests are red without any bug.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import copy2

from tests.architecture.source_tree import ROOT, tracked_files
from tests.mutants.seeded_bugs import BUGS, SeededBug

PYTEST = (
    "-m",
    "pytest",
    "-q",
    "-x",
    "-m",
    "not mysql and not containers",
    "-p",
    "no:cacheprovider",
)
COPIED = ("libs/", "services/", "tests/", "docs/", "pyproject.toml")
TIMEOUT_SECONDS = 900
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


def main(words: list[str]) -> int:
    """The table, bug by bug."""
    bugs = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    survivors: list[str] = []
    with tempfile.TemporaryDirectory(prefix="holdfast-mutants-") as folder:
        scratch = copy_sources(Path(folder))
        tests = list(dict.fromkeys(test for bug in bugs for test in bug.tests))
        code, seen, seconds = run_tests(scratch, tests)
        say(f"without a bug: {len(tests)} tests or files, {seconds:.0f} s, exit {code}")
        if code != 0:
            say(f"they are red already: {seen}")
            return 1
        for bug in bugs:
            code, seen, seconds = run_mutant(scratch, bug)
            if code != 1:
                survivors.append(bug.name)
            caught = seen if code == 1 else f"SURVIVED (exit {code})"
            say(f"{bug.name:62s} {seconds:5.1f} s  {caught}")
    say(f"{len(bugs) - len(survivors)} of {len(bugs)} caught; survivors: {survivors or 'none'}")
    return 1 if survivors else 0


def copy_sources(folder: Path) -> Path:
    """What git tracks, as it stands in the working tree."""
    for path in tracked_files():
        name = path.relative_to(ROOT)
        if name.as_posix().startswith(COPIED):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy2(path, folder / name)
    return folder


def run_mutant(scratch: Path, bug: SeededBug) -> tuple[int, str, float]:
    """Apply it, run its tests, and put the file back."""
    path = scratch / bug.file
    before = path.read_text()
    path.write_text(before.replace(bug.old, bug.new))
    try:
        return run_tests(scratch, list(bug.tests))
    finally:
        path.write_text(before)


def run_tests(scratch: Path, tests: list[str]) -> tuple[int, str, float]:
    """The exit code, the first test that failed, and how long it took."""
    sources = [*sorted(scratch.glob("libs/*/src")), *sorted(scratch.glob("services/*/src"))]
    begun = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, *PYTEST, *tests],
        cwd=scratch,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, [scratch, *sources])),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOLDFAST_REQUIRE_KINDS": "",
        },
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    failed = _FAILED.search(ran.stdout)
    last = ran.stdout.strip().splitlines()[-1:] or [ran.stderr.strip()[-200:]]
    return ran.returncode, failed.group(1) if failed else last[0], time.perf_counter() - begun


def say(text: str) -> None:
    """To the terminal, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
