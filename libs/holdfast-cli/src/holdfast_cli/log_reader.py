"""Shows the ends of logs, and follows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
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
    readers = {name: _new_lines(path) for name, path in logs.items()}
    while goes_on():
        quiet = True
        for name, reader in readers.items():
            for line in next(reader):
                show(name, line)
                quiet = False
        if quiet:
            time.sleep(_POLL_SECONDS)


def _new_lines(path: Path) -> Iterator[list[str]]:
    """Each step yields the whole lines written since the last one; survives rotation."""
    position = path.stat().st_size if path.is_file() else 0
    rest = b""
    while True:
        size = path.stat().st_size if path.is_file() else 0
        if size < position:
            position, rest = 0, b""
        if size == position:
            yield []
            continue
        with path.open("rb") as log:
            log.seek(position)
            data = rest + log.read()
            position = log.tell()
        *lines, rest = data.split(b"\n")
        yield [line.decode(errors="replace") for line in lines]
