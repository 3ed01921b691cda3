"""Starting a child process that ends with us, and ending it.

The kernel's parent-death signal is tied to the *thread* that forked, so every child is started
from one thread that lives as long as this process does.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

_POLL_SECONDS = 0.02
_Request: TypeAlias = "tuple[Future[subprocess.Popen[bytes]], list[str], Path, Mapping[str, str]]"


class _Spawner:
    """One daemon thread that runs ``Popen`` for everybody."""

    def __init__(self) -> None:
        self._requests: SimpleQueue[_Request] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def spawn(
        self, command: Sequence[str], log_path: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._serve, name="spawner", daemon=True)
                self._thread.start()
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._requests.put((answer, list(command), log_path, environment))
        return answer.result()

    def _serve(self) -> None:
        while True:
            answer, command, log_path, environment = self._requests.get()
            try:
                with log_path.open("ab") as log:
                    process = subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        env=dict(environment),
                        # Own session: Ctrl-C in the terminal reaches us, not the server,
                        # so that we can stop it gracefully.
                        start_new_session=True,
                    )
            except BaseException as error:  # noqa: BLE001 - handed to the asking thread
                answer.set_exception(error)
            else:
                answer.set_result(process)


_SPAWNER = _Spawner()


def spawn(
    command: Sequence[str],
    *,
    log_path: Path,
    environment: Mapping[str, str] | None = None,
    outlives_parent: bool = False,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in its own session with its output appended to ``log_path``.

    Unless ``outlives_parent``, the kernel sends the child SIGTERM when this process ends in
    whatever way (util-linux ``setpriv`` sets that before it becomes the command; same pid).
    """
    prefix: list[str] = []
    setpriv = shutil.which("setpriv")
    if not outlives_parent and setpriv is not None:
        prefix = [setpriv, "--pdeathsig", "TERM", "--"]
    return _SPAWNER.spawn([*prefix, *command], log_path, environment or os.environ)


def process_mentions(pid: int, words: str) -> bool:
    """Whether ``pid`` lives (not a zombie) and its command line contains ``words``."""
    try:
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(words) in command_line


def end_process(pid: int, process: subprocess.Popen[bytes] | None, wait_seconds: float) -> bool:
    """SIGTERM, wait, then SIGKILL the whole group. True if SIGTERM was enough."""
    _signal_process(pid, signal.SIGTERM)
    if _wait_for_end(pid, process, wait_seconds):
        return True
    kill_process(pid, process)
    return False


def kill_process(pid: int, process: subprocess.Popen[bytes] | None) -> None:
    """SIGKILL the process group of ``pid`` and wait until the kernel has buried it."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        _signal_process(pid, signal.SIGKILL)
    _wait_for_end(pid, process, 10)


def _signal_process(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _wait_for_end(pid: int, process: subprocess.Popen[bytes] | None, seconds: float) -> bool:
    if process is not None:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}/cmdline").exists() or process_is_zombie(pid):
            return True
        time.sleep(_POLL_SECONDS)
    return False


def process_is_zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rsplit(")", 1)[-1].split()[0] == "Z"
