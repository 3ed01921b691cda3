"""Billing periods: calendar steps from the anchor, so that the 31st does not drift to the 28th."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

from stripe_double.engine.records import Record

_SECONDS = {"day": 86_400, "week": 7 * 86_400}
_MONTHS = {"month": 1, "year": 12}


def period_end(start: int, recurring: Record, *, anchor: int) -> int:
    """The end (unix seconds) of the period that starts at `start`."""
    interval, count = recurring["interval"], recurring["interval_count"]
    if interval in _SECONDS:
        return start + _SECONDS[interval] * int(count)
    begin, origin = _utc(start), _utc(anchor)
    month_index = begin.year * 12 + begin.month - 1 + _MONTHS[interval] * count
    year, month = divmod(month_index, 12)
    day = min(origin.day, calendar.monthrange(year, month + 1)[1])
    end = origin.replace(year=year, month=month + 1, day=day)
    return int(end.timestamp())


def _utc(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
