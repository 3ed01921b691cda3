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


def kill_processes_of(data_dir: Path) -> None:
    """SIGKILL every server of `data_dir`, watching for late ones.

    A server leads a session of its own and its command line names the folder; a pager or editor
    that somebody opened on a file there does not lead a session.
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
        and (facts := read_process(pid)) is not None
        and facts.session_id == pid != os.getpid()
    ]
