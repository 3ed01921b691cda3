from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.errors import BugError, PoisonError, TransientError
from billing_common.messaging.backoff import Backoff
from billing_common.messaging.consumer_policy import (
    DEFAULT_RULES,
    DeadLetterLimit,
    FailureAction,
    FailureKind,
    FailurePolicy,
    failure_code,
    failure_kind,
)
from billing_common.messaging.errors import BrokerUnavailable, OffsetGap


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (TransientError(), FailureKind.TRANSIENT, "transient"),
        (BrokerUnavailable(), FailureKind.TRANSIENT, "broker_unavailable"),
        (OffsetGap(3), FailureKind.TRANSIENT, "offset_gap"),
        (PoisonError("secret in the text"), FailureKind.POISON, "poison"),
        (BugError(), FailureKind.BUG, "bug"),
        (KeyError("secret in the text"), FailureKind.UNKNOWN, "KeyError"),
    ],
)
def test_errors_have_a_kind_and_a_code_without_their_text(error, kind, code):
    assert failure_kind(error) is kind
    assert failure_code(error) == code


def test_the_table_is_total():
    assert set(DEFAULT_RULES) == set(FailureKind)


@given(kind=st.sampled_from(FailureKind), attempts=st.integers(1, 10_000))
def test_only_a_transient_failure_is_retried_for_ever(kind, attempts):
    verdict = FailurePolicy().decide(kind, attempts)
    limit = {FailureKind.POISON: 1, FailureKind.BUG: 3, FailureKind.UNKNOWN: 5}.get(kind)
    if limit is None or attempts < limit:
        assert verdict.action is FailureAction.RETRY
        assert 0 < verdict.delay_seconds <= 5.0
    else:
        assert verdict.action is FailureAction.DEAD_LETTER


@given(
    failures=st.integers(1, 10_000),
    jitter=st.floats(0, 1),
    first=st.floats(0.001, 1),
    cap=st.floats(1, 60),
)
def test_backoff_grows_to_its_cap_and_never_past_it(failures, jitter, first, cap):
    backoff = Backoff(first, cap, jitter=lambda: jitter)
    wait = backoff.seconds(failures)
    assert first / 2 <= wait <= cap
    assert backoff.seconds(failures + 1) >= wait
    assert Backoff(first, cap, jitter=lambda: 1.0).seconds(10_000) == cap


@given(
    steps=st.lists(st.floats(0, 30), max_size=100),
    count=st.integers(1, 5),
)
def test_no_window_holds_more_dead_letters_than_the_limit(steps, count):
    limit = DeadLetterLimit(count=count, window_seconds=60.0)
    now, allowed = 0.0, []
    for step in steps:
        now += step
        in_window = [at for at in allowed if at > now - 60.0]
        is_allowed = limit.allows_one_more(now)
        assert is_allowed == (len(in_window) < count)
        if is_allowed:
            allowed.append(now)
