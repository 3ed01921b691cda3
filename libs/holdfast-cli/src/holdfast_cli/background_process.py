"""One process that keeps running after the command that started it has ended.

It leads a session of its own, so that a closed terminal or Ctrl-C does not reach it and so that
everything it started can be found and stopped with it. Its pid file names the pid and the start
time together: a reused pid is never taken for ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast_cli.failures import StackFailure
from holdfast_cli.interrupts import stop_signals_put_off
from holdfast_cli.process_table import ProcessFacts, read_process, session_members

_POLL_SECONDS = 0.05
_KILL_WAIT_SECONDS = 5.0
_LOG_BYTES_KEPT = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Launch:
    """How a process is started."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path


class BackgroundProcess:
    """A named process with a log file and a pid file."""

    def __init__(self, name: str, *, log: Path, pid_file: Path) -> None:
        self.name = name
        self.log = log
        self.pid_file = pid_file
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start_bytes = 0

    def facts(self) -> ProcessFacts | None:
        """The running process this pid file is about, or None."""
        if self._child is not None:
            self._child.poll()  # reaps it when it has ended
        recorded = self._recorded()
        if recorded is None:
            return None
        pid, start_ticks = recorded
        found = read_process(pid)
        return found if found is not None and found.start_ticks == start_ticks else None

    def is_running(self) -> bool:
        return self.facts() is not None

    def was_started(self) -> bool:
        """Whether a pid file is there: it was started and not stopped since."""
        return self._recorded() is not None

    def start(self, launch: Launch) -> None:
        """Start it; raises StackFailure when the program itself cannot be run."""
        self._rotate_log()
        with stop_signals_put_off(), self.log.open("ab") as log:
            self._log_start_bytes = log.tell()
            try:
                self._child = subprocess.Popen(
                    list(launch.command),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=dict(launch.environment),
                    cwd=launch.folder,
                    start_new_session=True,
                )
            except OSError as error:
                raise StackFailure(
                    f"{self.name} could not be started: {error.strerror} ({launch.command[0]}).",
                    way_out=("See what is missing with: holdfast doctor",),
                ) from error
            found = read_process(self._child.pid)
            self._write_pid_file(self._child.pid, found.start_ticks if found is not None else 0)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself (not to what it started)."""
        found = self.facts()
        if found is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, number)

    def stop(self, *, timeout_seconds: float) -> bool:
        """SIGTERM, wait, then SIGKILL for it and all it started.

        Returns True when everything ended by itself, False when force was needed.
        """
        recorded = self._recorded()
        if recorded is None:
            return True
        self.signal(signal.SIGTERM)
        self._wait_until_gone(timeout_seconds)
        left = self._survivors(*recorded)
        for member in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGKILL)
        if left:
            self._wait_until_gone(_KILL_WAIT_SECONDS)
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_KILL_WAIT_SECONDS)
        self.pid_file.unlink(missing_ok=True)
        return not left

    def exit_note(self) -> str:
        """How it ended, as far as this command can know: it must have started it itself."""
        code = self._child.poll() if self._child is not None else None
        if code is None:
            return ""
        if code < 0:
            return f" (killed by {signal.Signals(-code).name})"
        return f" (exit status {code}{', wrong configuration' if code == os.EX_CONFIG else ''})"

    def last_log_lines(self, count: int = 15) -> tuple[str, ...]:
        """The end of the log, oldest line first; nothing older than a start by this object."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(self._log_start_bytes, self.log.stat().st_size - 64 * 1024))
                text = log.read().decode(errors="replace")
        except OSError:
            return ()
        return tuple(line for line in text.splitlines() if line.strip())[-count:]

    def _survivors(self, pid: int, start_ticks: int) -> list[ProcessFacts]:
        """What is left of the session: nothing, when the pid has since become another's."""
        leader = read_process(pid)
        if leader is not None and leader.start_ticks != start_ticks:
            return []
        return [facts for facts in session_members(pid) if facts.start_ticks >= start_ticks]

    def _wait_until_gone(self, timeout_seconds: float) -> None:
        recorded = self._recorded()
        deadline = time.monotonic() + timeout_seconds
        while recorded is not None and time.monotonic() < deadline:
            if self._child is not None:
                self._child.poll()
            if not self.is_running() and not self._survivors(*recorded):
                return
            time.sleep(_POLL_SECONDS)

    def _recorded(self) -> tuple[int, int] | None:
        try:
            raw = json.loads(self.pid_file.read_text(encoding="utf-8"))
            return int(raw["pid"]), int(raw["start_ticks"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write_pid_file(self, pid: int, start_ticks: int) -> None:
        draft = self.pid_file.with_suffix(".new")
        draft.write_text(json.dumps({"pid": pid, "start_ticks": start_ticks}), encoding="utf-8")
        draft.replace(self.pid_file)

    def _rotate_log(self) -> None:
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > _LOG_BYTES_KEPT:
                self.log.replace(self.log.with_suffix(".log.1"))
