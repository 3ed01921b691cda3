from __future__ import annotations

import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NoReturn

from holdfast_cli.servers.errors import ServerStartFailed
from holdfast_cli.servers.ports import require_free_port
from holdfast_cli.servers.spawning import end_process, kill_process, process_mentions, spawn

_POLL_SECONDS = 0.05
_LOG_LINES_SHOWN = 12


class ChildServer(ABC):
    """A server run as a child process on the loopback address, with all its files in one folder.

    The folder holds ``server.log``, ``server.pid`` and the data; starting again on the same folder
    and ports keeps the data. An object made for a folder whose server was started by another
    process (``holdfast down``) sees and ends that server through ``server.pid``.
    """

    name: ClassVar[str]
    ready_seconds: ClassVar[float] = 60.0
    stop_seconds: ClassVar[float] = 30.0

    def __init__(
        self, data_dir: Path, ports: Sequence[int], *, outlives_parent: bool = False
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.log_path = self.data_dir / "server.log"
        self.start_seconds: float | None = None
        self._ports = tuple(ports)
        self._outlives_parent = outlives_parent
        self._process: subprocess.Popen[bytes] | None = None
        self._pid_path = self.data_dir / "server.pid"

    @property
    @abstractmethod
    def description(self) -> str:
        """For people, e.g. "MariaDB 10.11.14 (child process)"."""

    @abstractmethod
    def _initialise(self) -> None:
        """Make the data files if they are not there yet; must be safe to repeat when cut short."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The command line; it names the data folder, which is how we know the process again."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """One bounded attempt to get a real answer; False when there is none yet."""

    @property
    def pid(self) -> int | None:
        """The server's process id, or None when it does not run."""
        if self._process is not None:
            return self._process.pid if self._process.poll() is None else None
        try:
            recorded = int(self._pid_path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return recorded if process_mentions(recorded, str(self.data_dir)) else None

    def is_running(self) -> bool:
        return self.pid is not None

    def start(self) -> None:
        """Start and wait until the server answers; raises ServerStartFailed, and then leaves
        nothing running."""
        began = time.monotonic()
        running = self.pid
        if running is not None:
            raise ServerStartFailed(
                self.name,
                f"already runs on {self.data_dir} (pid {running})",
                "use the running server, or stop it first (holdfast down)",
            )
        for port in self._ports:
            require_free_port(self.name, port)
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._initialise()
        log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        self._process = spawn(
            self._command(), log_path=self.log_path, outlives_parent=self._outlives_parent
        )
        self._pid_path.write_text(str(self._process.pid), encoding="ascii")
        try:
            self._await_ready(log_start)
        except BaseException:
            self.kill()
            raise
        self.start_seconds = time.monotonic() - began

    def stop(self) -> None:
        """Graceful and bounded: SIGTERM, then SIGKILL after ``stop_seconds``."""
        pid = self.pid
        if pid is not None:
            end_process(pid, self._process, self.stop_seconds)
        self._forget()

    def kill(self) -> None:
        """SIGKILL, as a crash would; the data stays."""
        pid = self.pid
        if pid is not None:
            kill_process(pid, self._process)
        self._forget()

    def _forget(self) -> None:
        if self._process is not None:
            self._process.wait()
        self._process = None
        self._pid_path.unlink(missing_ok=True)

    def _await_ready(self, log_start: int) -> None:
        deadline = time.monotonic() + self.ready_seconds
        while True:
            if self.pid is None:
                self._fail_start("the process ended while starting", log_start)
            if self._is_ready():
                return
            if time.monotonic() > deadline:
                self._fail_start(f"not ready after {self.ready_seconds:.0f} seconds", log_start)
            time.sleep(_POLL_SECONDS)

    def _fail_start(self, reason: str, log_start: int) -> NoReturn:
        with self.log_path.open("rb") as log:
            log.seek(log_start)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
        shown = "\n    ".join(lines[-_LOG_LINES_SHOWN:]) or "(the log is empty)"
        raise ServerStartFailed(
            self.name,
            f"{reason}. Last lines of {self.log_path}:\n    {shown}",
            f"read {self.log_path}; if the data may go, remove {self.data_dir} and start again",
        )
