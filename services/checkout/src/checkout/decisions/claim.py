"""The key is taken already: replay, refuse, wait or recover?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final

from billing_common.domain.idempotency import Operation, OperationStatus

RETRY_AFTER_SECONDS_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Replay:
    """It is finished; its stored answer is the answer."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class KeyConflict:
    """The same key came with another request."""


@dataclass(frozen=True, slots=True)
class InProgress:
    """Somebody works on it."""

    retry_after_seconds: int


@dataclass(frozen=True, slots=True)
class LeaseEnded:
    """Its worker is gone; whoever asks may recover it."""

    row_id: int


Existing = Replay | KeyConflict | InProgress | LeaseEnded


def decide_existing(operation: Operation, *, fingerprint_hash: str, now: datetime) -> Existing:
    """Total. The fingerprint comes first: another request must not learn this one's answer."""
    if operation.request_fingerprint_hash != fingerprint_hash:
        return KeyConflict()
    if operation.status is not OperationStatus.PENDING:
        return Replay(operation)
    if operation.is_leased(now) and operation.lease_expires_at is not None:
        remaining = ceil((operation.lease_expires_at - now).total_seconds())
        return InProgress(max(1, min(remaining, RETRY_AFTER_SECONDS_MAX)))
    return LeaseEnded(operation.id)
