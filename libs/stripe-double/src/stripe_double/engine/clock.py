"""The double's own clock: virtual seconds since 1970, moved by real time, by hand, or both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


def _real_seconds() -> float:
    return time.time_ns() / 1_000_000_000


@dataclass
class Clock:
    """`ticking` follows real time plus an offset; otherwise only `advance` moves it.

    `start_seconds` is the virtual instant of the start (None: now). It never goes backwards
    within one world.
    """

    start_seconds: float | None = None
    ticking: bool = True
    real_seconds: Callable[[], float] = _real_seconds
    offset_seconds: float = field(init=False, default=0.0)
    _frozen_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Go back to the start: the one way backwards, for a world that starts anew."""
        real = self.real_seconds()
        start = real if self.start_seconds is None else self.start_seconds
        self.offset_seconds = start - real
        self._frozen_at = start

    @property
    def now_exact(self) -> float:
        """Virtual seconds, with a fraction."""
        if self.ticking:
            return self.real_seconds() + self.offset_seconds
        return self._frozen_at

    @property
    def now(self) -> int:
        """Virtual whole seconds, the resolution of every Stripe timestamp."""
        return int(self.now_exact)

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds` (negative: ValueError)."""
        if seconds < 0:
            message = "the clock cannot go backwards"
            raise ValueError(message)
        self.offset_seconds += seconds
        self._frozen_at += seconds

    def set_to(self, now_exact: float) -> None:
        """Show this instant from now on: for a world that is put back as it was."""
        self.offset_seconds = now_exact - self.real_seconds()
        self._frozen_at = now_exact

    def resume(self, *, offset_seconds: float, frozen_at: float) -> None:
        """Go on where a stored world stopped."""
        self.offset_seconds = offset_seconds
        self._frozen_at = frozen_at

    def stored(self) -> dict[str, float]:
        """What `resume` needs."""
        return {"offset_seconds": self.offset_seconds, "frozen_at": self._frozen_at}
