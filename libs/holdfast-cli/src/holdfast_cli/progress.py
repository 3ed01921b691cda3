"""Says what is being done and how long it takes.

On a terminal a running step is a spinner with elapsed seconds; elsewhere a step is a plain line
when it begins, one each quarter of a minute while it lasts, and one when it ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

_HEARTBEAT_SECONDS = 15.0


class Step:
    """One running step: `note` tells what it is at, `result` how it ended."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.result = ""
        self.detail = ""
        self._begun = time.monotonic()

    @property
    def elapsed_seconds(self) -> float:
        return time.monotonic() - self._begun

    def note(self, detail: str) -> None:
        """What the step is at just now (shown while it runs)."""
        self.detail = detail

    def running_line(self) -> str:
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.title}{detail} ({self.elapsed_seconds:.0f} s)"


class Progress:
    """Prints steps to `console`."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Run the block as a step; its end is printed with its time, a failure as such."""
        step = Step(title)
        ended = threading.Event()
        status = None
        if self.console.is_terminal:
            status = self.console.status(escape(step.running_line()))
            status.start()
        else:
            self.console.print(f"... {title}", markup=False, highlight=False, soft_wrap=True)

        def keep_showing() -> None:
            while not ended.wait(0.5 if status else _HEARTBEAT_SECONDS):
                if status:
                    status.update(escape(step.running_line()))
                else:
                    self.say(f"    still {step.running_line()}")

        shower = threading.Thread(target=keep_showing, daemon=True)
        shower.start()
        mark, style = "failed", "red"
        try:
            yield step
            mark, style = "ok", "green"
        finally:
            ended.set()
            shower.join()
            if status:
                status.stop()
            result = f"  {step.result}" if step.result else ""
            line = f"[{style}]{mark:>6}[/]  {escape(title)}{escape(result)}"
            self.console.print(
                f"{line}  [dim]{step.elapsed_seconds:.1f} s[/]", highlight=False, soft_wrap=True
            )

    def say(self, line: str) -> None:
        """Print one plain line."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)
