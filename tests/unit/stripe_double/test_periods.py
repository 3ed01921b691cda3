"""Billing periods follow the calendar and their anchor."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripe_double.resources.periods import period_end
from stripe_double.wire.money import readable


def second(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def recurring(interval: str, count: int = 1) -> dict[str, object]:
    return {"interval": interval, "interval_count": count}


@pytest.mark.parametrize(
    ("start", "interval", "count", "anchor", "end"),
    [
        ("2026-01-31T10:00", "month", 1, "2026-01-31T10:00", "2026-02-28T10:00"),
        ("2026-02-28T10:00", "month", 1, "2026-01-31T10:00", "2026-03-31T10:00"),
        ("2028-02-29T00:00", "year", 1, "2028-02-29T00:00", "2029-02-28T00:00"),
        ("2026-11-15T00:00", "month", 3, "2026-11-15T00:00", "2027-02-15T00:00"),
        ("2026-12-31T23:59", "day", 1, "2026-12-31T23:59", "2027-01-01T23:59"),
        ("2026-03-01T00:00", "week", 2, "2026-03-01T00:00", "2026-03-15T00:00"),
    ],
)
def test_periods_end_where_a_person_expects(
    start: str, interval: str, count: int, anchor: str, end: str
) -> None:
    found = period_end(second(start), recurring(interval, count), anchor=second(anchor))
    assert found == second(end)


@given(
    st.integers(1_500_000_000, 2_000_000_000),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 3),
)
def test_periods_never_shrink_or_drift(anchor: int, interval: str, count: int) -> None:
    start = anchor
    for _ in range(24):
        end = period_end(start, recurring(interval, count), anchor=anchor)
        assert end - start >= 86_400
        start = end
    day = datetime.fromtimestamp(anchor, UTC).day
    if interval in {"month", "year"} and day <= 28:
        assert datetime.fromtimestamp(start, UTC).day == day


def test_amounts_read_well() -> None:
    assert readable(123456, "usd") == "$1,234.56"
    assert readable(500, "jpy") == "¥500"
    assert readable(5, "chf") == "0.05 CHF"
