"""Billing periods: calendar steps from the anchor, so that the 31st does not drift to the 28th."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

from stripe_double.engine.records import Record

_SECONDS = {"day": 86_400, "week": 7 * 86_400}
_MONTHS = {"month": 1, "year": 12}
_LONGEST_DAYS = {"day": 1, "week": 7, "month": 31, "year": 366}


def period_end(start: int, recurring: Record, *, anchor: int) -> int:
    """The end (unix seconds) of the period that starts at `start`."""
    interval, count = recurring["interval"], recurring["interval_count"]
    if interval in _SECONDS:
        return start + _SECONDS[interval] * int(count)
    return _months_later(start, _MONTHS[interval] * count, anchor)


def period_at(second: int, recurring: Record, *, anchor: int) -> tuple[int, int]:
    """The period (start, end) that holds `second`, on the grid that goes through `anchor`."""
    interval, count = recurring["interval"], recurring["interval_count"]
    if interval in _SECONDS:
        length = _SECONDS[interval] * int(count)
        start = anchor + (second - anchor) // length * length
        return start, start + length
    step = _MONTHS[interval] * int(count)
    begin, origin = _utc(second), _utc(anchor)
    months = (begin.year - origin.year) * 12 + begin.month - origin.month
    index = months // step
    while _months_later(anchor, index * step, anchor) > second:
        index -= 1
    while _months_later(anchor, (index + 1) * step, anchor) <= second:
        index += 1
    return (
        _months_later(anchor, index * step, anchor),
        _months_later(anchor, (index + 1) * step, anchor),
    )


def same_rhythm(one: Record, other: Record) -> bool:
    """Whether two prices recur equally often."""
    names = ("interval", "interval_count")
    return all(one[name] == other[name] for name in names)


def longest_seconds(recurring: Record) -> int:
    """No period of this rhythm is longer."""
    return _LONGEST_DAYS[recurring["interval"]] * 86_400 * int(recurring["interval_count"])


def _months_later(start: int, months: int, anchor: int) -> int:
    begin, origin = _utc(start), _utc(anchor)
    year, month = divmod(begin.year * 12 + begin.month - 1 + months, 12)
    day = min(origin.day, calendar.monthrange(year, month + 1)[1])
    return int(origin.replace(year=year, month=month + 1, day=day).timestamp())


def _utc(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
