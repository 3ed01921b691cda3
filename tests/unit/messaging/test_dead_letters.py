from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from billing_common.messaging.dead_letters import (
    ATTEMPTS,
    REASON,
    SOURCE_OFFSET,
    SOURCE_PARTITION,
    SOURCE_TOPIC,
    dead_letter_headers,
)
from billing_common.messaging.records import Record

headers = st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9)), max_size=5)


@given(original=headers.map(tuple), attempts=st.integers(1, 99), offset=st.integers(0, 2**40))
def test_the_original_headers_stay_and_ours_follow(original, attempts, offset):
    record = Record("a.b", 3, offset, b"k", None, original, 0)
    kept = dead_letter_headers(record, reason="poison", attempts=attempts)
    assert kept[: len(original)] == original
    ours = dict(kept[len(original) :])
    assert ours[REASON] == b"poison"
    assert int(ours[ATTEMPTS]) == attempts
    assert ours[SOURCE_TOPIC] == b"a.b"
    assert int(ours[SOURCE_PARTITION]) == 3
    assert int(ours[SOURCE_OFFSET]) == offset


@given(original=headers.map(tuple), name=st.text(max_size=9))
def test_a_header_is_its_last_value(original, name):
    record = Record("t", 0, 0, None, None, original, 0)
    values = [value for key, value in original if key == name]
    assert record.header(name) == (values[-1] if values else None)
