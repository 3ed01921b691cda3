from __future__ import annotations

import pytest

from api_gateway.decisions.token_buckets import Rate, give_back, take
from api_gateway.handlers import rate_limits
from api_gateway.handlers.rate_limits import RateLimiter, RateLimits
from api_gateway.handlers.refusals import RequestRefused
from billing_common.domain.failure_codes import FailureCode


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def limiter(clock: Clock, **rates: Rate) -> RateLimiter:
    wide = Rate(1000, 1000)
    names = ("replica", "user", "service", "account", "account_writes")
    return RateLimiter(RateLimits(**({name: wide for name in names} | rates)), monotonic=clock)


def admitted(call: object, count: int) -> int:
    assert callable(call)
    found = 0
    for _ in range(count):
        try:
            call()
        except RequestRefused as refused:
            if refused.code is not FailureCode.RATE_LIMITED or not refused.retry_after_seconds:
                raise
        else:
            found += 1
    return found


def test_a_bucket_is_emptied_at_once_and_fills_at_its_rate() -> None:
    rate = Rate(2, 3)
    bucket = None
    for _ in range(3):
        bucket, wait_seconds = take(bucket, rate, 10.0)
        assert wait_seconds == 0.0
    bucket, wait_seconds = take(bucket, rate, 10.0)
    assert wait_seconds == 0.5
    bucket, wait_seconds = take(bucket, rate, 10.5)
    assert wait_seconds == 0.0
    bucket, _ = take(bucket, rate, 1e9)  # never more than it holds
    assert bucket.tokens == 2.0
    assert give_back(bucket, rate, 1e9).tokens == 3.0
    assert take(bucket, rate, 5.0)[1] == 0.0  # a clock that goes back takes nothing away


def test_one_account_at_three_times_its_rate_leaves_the_others_alone() -> None:
    clock = Clock()
    # What the greedy one is refused does not count, or there would be nothing left for anybody.
    limits = limiter(clock, account=Rate(10, 10), replica=Rate(20, 20))
    greedy = modest = 0
    for tick in range(100):  # ten seconds: 30 a second against 5 a second
        clock.seconds += 0.1
        for number in range(3):
            limits.admit_user(f"greedy-{number}")
            greedy += admitted(lambda: limits.admit_to_account(1, is_write=False), 1)
        if tick % 2 == 0:
            limits.admit_user("modest")
            modest += admitted(lambda: limits.admit_to_account(2, is_write=False), 1)
    assert modest == 50
    assert 100 <= greedy <= 112


def test_a_user_cannot_use_up_the_replica_and_a_refused_one_pays_nothing() -> None:
    clock = Clock()
    limits = limiter(clock, user=Rate(1, 5), replica=Rate(1, 20))
    assert admitted(lambda: limits.admit_user("ann"), 100) == 5
    assert admitted(lambda: limits.admit_user("bob"), 5) == 5
    assert admitted(lambda: limits.admit_service("sync"), 20) == 10  # the replica's rest
    clock.seconds += 4
    # Refused by the replica, a user's own share is untouched.
    assert admitted(lambda: limits.admit_user("cat"), 9) == 4


def test_writes_have_a_smaller_share_of_the_account() -> None:
    clock = Clock()
    limits = limiter(clock, account_writes=Rate(0.1, 2))
    assert admitted(lambda: limits.admit_to_account(1, is_write=True), 9) == 2
    assert admitted(lambda: limits.admit_to_account(1, is_write=False), 9) == 9
    assert admitted(lambda: limits.admit_to_account(2, is_write=True), 1) == 1


def test_retry_after_is_true() -> None:
    clock = Clock()
    limits = limiter(clock, account_writes=Rate(0.1, 1))
    limits.admit_to_account(1, is_write=True)
    with pytest.raises(RequestRefused) as refused:
        limits.admit_to_account(1, is_write=True)
    assert refused.value.retry_after_seconds == 10
    assert refused.value.details == {"limit": "account_writes"}
    clock.seconds += 10
    limits.admit_to_account(1, is_write=True)


def test_buckets_are_bounded_and_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "BUCKETS_MAX", 100)
    limits = limiter(Clock(), replica=Rate(1e6, 1e6))
    for number in range(1000):
        limits.admit_user(f"user-{number}")
    assert len(limits._buckets) <= 100
