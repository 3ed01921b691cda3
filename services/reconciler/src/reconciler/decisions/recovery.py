"""Which stalled operations to ask checkout about now.

An operation stays due until it is finished, and asking again at every look would fill the topic
while checkout is down. So each one is asked about less and less often, but never given up here:
checkout's own recovery decides how it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from billing_common.domain.idempotency import StalledOperation

ASK_AGAIN_AFTER: Final = timedelta(seconds=5)
ASK_AGAIN_AT_MOST_AFTER: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Asked:
    """When and how often this process has asked about one operation under one lease version."""

    lease_version: int
    times: int
    again_at: datetime


def due_for_recovery(
    stalled: Iterable[StalledOperation], asked: Mapping[int, Asked], *, now: datetime
) -> list[StalledOperation]:
    """Those never asked about under their present lease version, or long enough ago."""
    return [operation for operation in stalled if _is_due(operation, asked, now)]


def after_asking(operation: StalledOperation, before: Asked | None, *, now: datetime) -> Asked:
    """The note to keep. A new lease version means that recovery ran: start over."""
    is_same = before is not None and before.lease_version == operation.lease_version
    times = before.times + 1 if before is not None and is_same else 1
    wait = min(ASK_AGAIN_AT_MOST_AFTER, ASK_AGAIN_AFTER * 2 ** min(times - 1, 10))
    return Asked(operation.lease_version, times, now + wait)


def _is_due(operation: StalledOperation, asked: Mapping[int, Asked], now: datetime) -> bool:
    note = asked.get(operation.row_id)
    if note is None or note.lease_version != operation.lease_version:
        return True
    return note.again_at <= now
