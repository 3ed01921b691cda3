"""What reconciler looks after. A scope has at most one running run, whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """The scopes of this version; each plugs into the same frame of leased runs."""

    EXPIRED_LEASES = "expired_leases"
    FAILED_EVENTS = "failed_events"


@dataclass(frozen=True, slots=True)
class ScopePolicy:
    """Bounds of one run. A run that needs more is continued by the next one."""

    batch_size_max: int
    lease: timedelta


# A run of these scopes publishes a page of messages: seconds at most.
POLICIES: Final = {
    Scope.EXPIRED_LEASES: ScopePolicy(batch_size_max=500, lease=timedelta(seconds=30)),
    Scope.FAILED_EVENTS: ScopePolicy(batch_size_max=200, lease=timedelta(seconds=60)),
}
