"""What to do with a billing write whose key may have been seen before."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from billing_common.domain.idempotency import Operation, OperationStatus

# A lease that is longer than this is not worth telling a browser to wait for.
RETRY_AFTER_SECONDS_MAX: Final = 30
_WAIT_PREFERENCE: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,4})\"?(?=$|[,;\s])")


@dataclass(frozen=True, slots=True)
class Replay:
    """Answer what was answered before, byte for byte."""

    http_status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key belongs to another request."""


@dataclass(frozen=True, slots=True)
class InProgress:
    """A worker holds it: ask again after so many seconds."""

    retry_after_seconds: int


@dataclass(frozen=True, slots=True)
class Submit:
    """Nobody has it, or nobody holds it any more: send a command."""


def decide_submission(
    stored: Operation | None, *, request_fingerprint_hash: str, now: datetime
) -> Replay | Conflict | InProgress | Submit:
    """Total; `now` is the database's clock. checkout decides again under its locks: this only
    spares it what is already clear."""
    if stored is None:
        return Submit()
    if stored.request_fingerprint_hash != request_fingerprint_hash:
        return Conflict()
    finished = replay_of(stored)
    if finished is not None:
        return finished
    if stored.lease_expires_at is not None and stored.is_leased(now):
        left_seconds = math.ceil((stored.lease_expires_at - now).total_seconds())
        return InProgress(min(max(left_seconds, 1), RETRY_AFTER_SECONDS_MAX))
    return Submit()


def replay_of(stored: Operation) -> Replay | None:
    """The stored answer of a finished operation, or None when there is none (yet)."""
    if stored.status is OperationStatus.PENDING:
        return None
    if stored.response_status is None or stored.response_body is None:
        return None
    return Replay(stored.response_status, stored.response_body)


def decide_wait_seconds(prefer: str | None, *, seconds_max: float) -> float:
    """How long to wait: `Prefer: wait=N` may shorten, never lengthen. Unreadable: as if absent."""
    found = _WAIT_PREFERENCE.search(prefer) if prefer else None
    return min(float(found.group(1)), seconds_max) if found else seconds_max
