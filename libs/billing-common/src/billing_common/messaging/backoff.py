"""How long to wait before another try: doubling, capped, spread so that retries do not march."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

# 2 ** 30 would overflow no float, but no cap of ours needs more doublings than this.
_DOUBLINGS_MAX = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """`jitter` returns a number in [0, 1]; the wait is between half and all of the step."""

    first_seconds: float
    cap_seconds: float
    jitter: Callable[[], float] = random.random

    def seconds(self, failures: int) -> float:
        """The wait after this many failures in a row (1 or more)."""
        doublings = min(max(failures, 1) - 1, _DOUBLINGS_MAX)
        step = min(self.cap_seconds, self.first_seconds * 2.0**doublings)
        return step * (0.5 + 0.5 * self.jitter())
