"""When a failed event is looked at again: exponential, capped, without jitter."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

BASE: Final = timedelta(seconds=2)
CAP: Final = timedelta(minutes=30)


def next_attempt_at(*, attempt_count: int, now: datetime) -> datetime:
    """Exponential from BASE, at most CAP. `attempt_count` counts the attempt that just failed."""
    doublings: int = 2 ** min(attempt_count - 1, 20)
    return now + min(CAP, BASE * doublings)
