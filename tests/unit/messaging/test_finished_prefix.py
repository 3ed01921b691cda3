from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.messaging.finished_prefix import FinishedPrefix

offset_lists = st.lists(st.integers(0, 10_000), min_size=1, max_size=60, unique=True).map(sorted)


@given(offsets=offset_lists, data=st.data())
def test_never_commits_past_an_unfinished_record(offsets, data):
    ledger = FinishedPrefix()
    for offset in offsets:
        ledger.began(offset)
    unfinished = set(offsets)
    committed = -1
    for offset in data.draw(st.permutations(offsets)):
        committable = ledger.finished(offset)
        unfinished.remove(offset)
        assert ledger.unfinished == len(unfinished)
        if committable is not None:
            assert committable > committed
            committed = committable
        assert all(waiting >= committed for waiting in unfinished)
        assert all(
            done < committed for done in offsets if done < min(unfinished, default=committed)
        )
    assert committed == offsets[-1] + 1


@given(offsets=offset_lists, data=st.data())
def test_beginning_and_finishing_may_interleave(offsets, data):
    ledger = FinishedPrefix()
    to_begin, under_way, committed = list(offsets), [], None
    while to_begin or under_way:
        if to_begin and (not under_way or data.draw(st.booleans())):
            under_way.append(to_begin.pop(0))
            ledger.began(under_way[-1])
        else:
            offset = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
            committable = ledger.finished(offset)
            committed = committable if committable is not None else committed
            if committed is not None and under_way:
                assert committed <= under_way[0] or committed <= min(under_way)
    assert committed == offsets[-1] + 1


def test_refuses_what_cannot_be():
    ledger = FinishedPrefix()
    ledger.began(5)
    ledger.began(7)
    for wrong in (5, 7, 6):
        with pytest.raises(ValueError, match="began after"):
            ledger.began(wrong)
    assert ledger.finished(7) is None
    for wrong in (7, 4, 8):
        with pytest.raises(ValueError, match="not under way"):
            ledger.finished(wrong)
    assert ledger.finished(5) == 8
    with pytest.raises(ValueError, match="not under way"):
        ledger.finished(5)
