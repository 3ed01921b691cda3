"""Ends processes that were started for a data folder but not yet written down.

Between the start of a server and its pid file there is a moment in which Ctrl-C may fall.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from holdfast_cli.process_table import read_process
from holdfast_cli.servers.spawning import process_mentions

_WATCH_SECONDS = 0.5
_POLL_SECONDS = 0.05
# What a server or the making of its data files runs (names as the kernel cuts them).
_SERVER_COMMANDS = frozenset({"mariadbd", "mariadb-install", "mysqld", "java"})


def kill_processes_of(data_dir: Path) -> None:
    """SIGKILL every server program whose command line names `data_dir`, watching for late ones.

    A pager or editor that somebody opened on a file there is left alone.
    """
    deadline = time.monotonic() + _WATCH_SECONDS
    while time.monotonic() < deadline:
        for pid in _processes_naming(data_dir):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def _processes_naming(data_dir: Path) -> list[int]:
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [
        pid
        for pid in pids
        if process_mentions(pid, str(data_dir))
        and _command_name(pid) in _SERVER_COMMANDS
        and read_process(pid) is not None
    ]


def _command_name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
