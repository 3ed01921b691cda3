"""Work that is a process of its own and ends: migrations, topics. Its output goes to its log."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from holdfast_cli.failures import StackFailure

_JOB_SECONDS = 300
_LOG_LINES_SHOWN = 15


def run_job(
    title: str,
    module: str,
    *arguments: str,
    environment: Mapping[str, str],
    log: Path,
) -> str:
    """Run `python -m module`; returns the last line it wrote, raises StackFailure if it failed."""
    with log.open("ab") as output:
        begun = output.tell()
        try:
            done = subprocess.run(
                [sys.executable, "-m", module, *arguments],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_JOB_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StackFailure(
                f"{title}: not done after {_JOB_SECONDS} s.", way_out=(f"Read the log: {log}",)
            ) from error
    with log.open("rb") as output:
        output.seek(begun)
        lines = output.read().decode(errors="replace").splitlines()
    if done.returncode != 0:
        raise StackFailure(
            f"{title}: failed (exit status {done.returncode}).",
            way_out=(
                f"Read the log: {log}",
                "If the data is from another version: holdfast down --wipe removes it.",
            ),
            log_lines=tuple(lines[-_LOG_LINES_SHOWN:]),
        )
    return lines[-1] if lines else ""
