"""Shows the ends of logs, and follows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

_POLL_SECONDS = 0.25
_TAIL_BYTES = 256 * 1024


def last_lines(path: Path, count: int) -> list[str]:
    """The last `count` lines; none when there is no such file."""
    if count <= 0 or not path.is_file():
        return []
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return log.read().decode(errors="replace").splitlines()[-count:]


def follow(
    logs: Mapping[str, Path], show: Callable[[str, str], None], *, goes_on: Callable[[], bool]
) -> None:
    """Call `show(name, line)` for each line written from now on, while `goes_on()`."""
    readers = {name: _GrowingLog(path) for name, path in logs.items()}
    while goes_on():
        quiet = True
        for name, reader in readers.items():
            for line in reader.new_lines():
                show(name, line)
                quiet = False
        if quiet:
            time.sleep(_POLL_SECONDS)


class _GrowingLog:
    """A log from where it ends now; survives that the file is cut or replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = self._size()
        self._rest = b""

    def new_lines(self) -> list[str]:
        """The whole lines written since the last call."""
        size = self._size()
        if size < self._position:
            self._position, self._rest = 0, b""
        if size == self._position:
            return []
        with self._path.open("rb") as log:
            log.seek(self._position)
            data = self._rest + log.read()
            self._position = log.tell()
        *lines, self._rest = data.split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.is_file() else 0
