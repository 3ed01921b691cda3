"""Rate limits of the double's own: so many requests in any one second, by kind and by operation."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests per second; None: no limit. Reads are GETs, everything else writes.

    `endpoint_per_second` is for each operation apart. `is_virtual`: seconds of the double's clock.
    """

    read_per_second: int | None = None
    write_per_second: int | None = None
    endpoint_per_second: int | None = None
    is_virtual: bool = False

    def __post_init__(self) -> None:
        limits = (self.read_per_second, self.write_per_second, self.endpoint_per_second)
        if any(limit is not None and limit < 1 for limit in limits):
            message = "a rate limit is at least 1 a second, or none"
            raise ValueError(message)


class RateLimiter:
    """Counts what was let through in the last second."""

    def __init__(self, limits: RateLimits) -> None:
        self.limits = limits
        self._passed: dict[str, deque[float]] = {}

    def refuse(self, method: str, operation: str, now_seconds: float) -> str | None:
        """None: the request is let through, and counts. Else Stripe's word for the limit it hit."""
        is_read = method == "GET"
        globally = self.limits.read_per_second if is_read else self.limits.write_per_second
        checks = [
            ("global-rate", "read" if is_read else "write", globally),
            ("endpoint-rate", operation, self.limits.endpoint_per_second),
        ]
        windows = []
        for reason, name, limit in checks:
            if limit is None:
                continue
            window = self._passed.setdefault(name, deque())
            while window and window[0] <= now_seconds - WINDOW_SECONDS:
                window.popleft()
            if len(window) >= limit:
                return reason
            windows.append(window)
        for window in windows:
            window.append(now_seconds)
        return None

    def change(self, limits: RateLimits) -> None:
        """Other limits from now on, with nothing counted yet."""
        self.limits = limits
        self.forget()

    def forget(self) -> None:
        """Count from zero."""
        self._passed.clear()
