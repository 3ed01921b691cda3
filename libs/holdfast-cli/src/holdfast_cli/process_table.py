"""Facts about running processes, from /proc (Linux). A pid alone is no identity: it is reused;
a pid together with its start time is one."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from holdfast_cli.failures import StackFailure

_ZOMBIE_STATES = frozenset("ZX")


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """One live process. `start_ticks` is its start time in clock ticks after boot."""

    pid: int
    session_id: int
    start_ticks: int
    resident_kib: int


def read_process(pid: int) -> ProcessFacts | None:
    """The process, or None when there is none (a zombie counts as none)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command name is in brackets and may hold anything: fields are counted after the last ")".
    fields = text[text.rindex(")") + 2 :].split()
    if fields[0] in _ZOMBIE_STATES:
        return None
    return ProcessFacts(
        pid=pid,
        session_id=int(fields[3]),
        start_ticks=int(fields[19]),
        resident_kib=int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 1024,
    )


def session_members(session_id: int) -> list[ProcessFacts]:
    """Every live process of a session."""
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(ValueError, IndexError):
                facts = read_process(int(entry.name))
                if facts is not None and facts.session_id == session_id:
                    members.append(facts)
    return members


def age_seconds(start_ticks: int) -> float:
    """How long ago a process with this start time began."""
    uptime_seconds = float(Path("/proc/uptime").read_text().split()[0])
    return max(0.0, uptime_seconds - start_ticks / os.sysconf("SC_CLK_TCK"))


def require_linux() -> None:
    """The stack of local processes reads /proc."""
    if not Path("/proc/self/stat").exists():
        raise StackFailure(
            "The stack of local processes runs on Linux only.",
            way_out=("With Docker, `docker compose up` runs the same services anywhere.",),
        )
