"""Which snapshot is newer: provider time only, and a tie is never decided by an event id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.ordering import Order, Watermark, advance, compare

T0 = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def _mark(seconds: int, event_id: str) -> Watermark:
    return Watermark(T0 + seconds * SECOND, event_id)


@pytest.mark.parametrize(
    ("stored", "incoming", "order"),
    [
        # Nothing was seen: anything is newer, whatever its time.
        (None, _mark(-9999, "evt_a"), Order.NEWER),
        (_mark(5, "evt_a"), _mark(6, "evt_a"), Order.NEWER),
        (_mark(5, "evt_z"), _mark(6, "evt_a"), Order.NEWER),
        (_mark(5, "evt_a"), _mark(4, "evt_z"), Order.OLDER),
        # A redelivery.
        (_mark(5, "evt_a"), _mark(5, "evt_a"), Order.SAME_EVENT),
        # One second, two events: both ways round it is a question, not an answer.
        (_mark(5, "evt_a"), _mark(5, "evt_b"), Order.TIE),
        (_mark(5, "evt_b"), _mark(5, "evt_a"), Order.TIE),
    ],
)
@pytest.mark.requirement("EVT-07")
def test_provider_time_decides_and_ids_do_not(
    stored: Watermark | None, incoming: Watermark, order: Order
) -> None:
    assert compare(stored, incoming) is order


MARKS = st.lists(
    st.builds(_mark, st.integers(0, 3), st.sampled_from(["evt_a", "evt_b", "evt_c"])),
    min_size=1,
    max_size=8,
)


@given(MARKS, st.randoms(use_true_random=False))
def test_any_order_with_repeats_leaves_the_same_watermark(
    marks: list[Watermark], random: object
) -> None:
    shuffled = marks + marks[:2]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    def fold(history: list[Watermark]) -> Watermark | None:
        return reduce(advance, history, None)

    assert fold(shuffled) == fold(marks)


@given(MARKS)
def test_a_watermark_never_goes_back(marks: list[Watermark]) -> None:
    stored: Watermark | None = None
    for mark in marks:
        moved = advance(stored, mark)
        assert stored is None or moved.event_created_at >= stored.event_created_at
        assert compare(moved, mark) is not Order.NEWER
        stored = moved
