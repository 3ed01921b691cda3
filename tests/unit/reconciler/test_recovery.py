"""Which stalled operations are asked about, and how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.idempotency import StalledOperation
from reconciler.decisions.recovery import (
    ASK_AGAIN_AFTER,
    ASK_AGAIN_AT_MOST_AFTER,
    Asked,
    after_asking,
    due_for_recovery,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def stalled(row_id: int = 1, lease_version: int = 1) -> StalledOperation:
    return StalledOperation(row_id, 1, f"{row_id:064}", lease_version)


@pytest.mark.requirement("REC-02")
def test_never_asked_is_due_and_just_asked_is_not() -> None:
    note = after_asking(stalled(), None, now=NOW)
    assert due_for_recovery([stalled(), stalled(2)], {1: note}, now=NOW) == [stalled(2)]
    assert due_for_recovery([stalled()], {1: note}, now=NOW + ASK_AGAIN_AFTER) == [stalled()]


@pytest.mark.requirement("REC-02")
def test_another_lease_version_is_due_at_once_and_starts_over() -> None:
    note = Asked(1, 9, NOW + ASK_AGAIN_AT_MOST_AFTER)
    assert due_for_recovery([stalled(lease_version=2)], {1: note}, now=NOW) == [
        stalled(lease_version=2)
    ]
    again = after_asking(stalled(lease_version=2), note, now=NOW)
    assert again == Asked(2, 1, NOW + ASK_AGAIN_AFTER)


@given(st.integers(0, 10_000))
def test_the_wait_grows_and_stays_bounded(times: int) -> None:
    """Never given up, whatever happens: 2 to the power of many must not overflow either."""
    before = Asked(1, times, NOW) if times else None
    note = after_asking(stalled(), before, now=NOW)
    wait = note.again_at - NOW
    assert ASK_AGAIN_AFTER <= wait <= ASK_AGAIN_AT_MOST_AFTER
    assert note.times == times + 1
    following = after_asking(stalled(), note, now=NOW).again_at - NOW
    assert following >= wait
    assert due_for_recovery([stalled()], {1: note}, now=NOW + timedelta(minutes=2)) == [stalled()]
