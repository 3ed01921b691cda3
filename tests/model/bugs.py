"""Canaries: the same model with one bug seeded. A model that misses one of them proves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.model.machine import Setup

ONE: Final = Setup(workers=2)
RIVAL: Final = Setup(workers=2, has_foreign_subscription=True)
TWO: Final = Setup(workers=1, intents=2, has_server_errors=False, sessions_max=1)


@dataclass(frozen=True, slots=True)
class Canary:
    """`names`: what is broken. `breaks`: the promise that must be seen broken."""

    setup: Setup
    names: tuple[str, ...]
    breaks: str

    @property
    def seeded(self) -> Setup:
        """The world in which the bug lives."""
        return self.setup.with_bugs(*self.names)


CANARIES: Final = (
    Canary(ONE, ("absence_is_failure",), "open at Stripe"),
    Canary(ONE, ("timeout_is_failure",), "open at Stripe"),
    Canary(ONE, ("no_hold",), "open at Stripe"),
    Canary(ONE, ("no_fence",), "open at Stripe"),
    Canary(ONE, ("no_status_guard",), "finished has changed"),
    Canary(ONE, ("event_ignores_status",), "finished has changed"),
    Canary(ONE, ("url_before_bind",), "not bound"),
    Canary(RIVAL, ("no_expiry_job",), "stays open"),
    Canary(TWO, ("frees_at_lapse",), "it was paid"),
    Canary(TWO, ("blocks_are_ignored",), "open at Stripe"),
    Canary(TWO, ("two_may_be_pending",), "open at Stripe"),
)
