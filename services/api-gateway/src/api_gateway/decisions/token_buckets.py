"""How many requests are too many: a bucket that fills at a rate and is emptied by requests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second in the long run, and so many at once after a rest."""

    per_second: float
    burst: float


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tokens left at a moment (seconds of any steady clock)."""

    tokens: float
    at_seconds: float


def fill(bucket: Bucket | None, rate: Rate, now_seconds: float) -> Bucket:
    """The bucket as it is now. None is one that was never used: full."""
    if bucket is None:
        return Bucket(rate.burst, now_seconds)
    passed_seconds = max(now_seconds - bucket.at_seconds, 0.0)
    return Bucket(min(bucket.tokens + passed_seconds * rate.per_second, rate.burst), now_seconds)


def take(bucket: Bucket | None, rate: Rate, now_seconds: float) -> tuple[Bucket, float]:
    """One token out of it, and 0.0; or the bucket unchanged and the seconds until there is one."""
    filled = fill(bucket, rate, now_seconds)
    if filled.tokens >= 1.0:
        return Bucket(filled.tokens - 1.0, now_seconds), 0.0
    return filled, (1.0 - filled.tokens) / rate.per_second


def give_back(bucket: Bucket | None, rate: Rate, now_seconds: float) -> Bucket:
    """Undo a `take` whose request was not let in after all."""
    filled = fill(bucket, rate, now_seconds)
    return Bucket(min(filled.tokens + 1.0, rate.burst), now_seconds)
