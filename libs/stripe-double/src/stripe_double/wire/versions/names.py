"""The versions that the double renders, by release train. Any other is refused.

Within a train the monthly releases differ by additions only; the double renders a train as a whole.
"""

from __future__ import annotations

from stripe_double import API_VERSION
from stripe_double.engine.errors import invalid_request

TRAINS = ("basil", "clover", "dahlia", "endive")
"""Oldest first; the last is the one the double works in."""

VERSIONS = (
    *("2025-03-31.basil", "2025-04-30.basil", "2025-05-28.basil"),
    *("2025-06-30.basil", "2025-07-30.basil", "2025-08-27.basil"),
    *("2025-09-30.clover", "2025-10-29.clover", "2025-11-17.clover"),
    *("2025-12-15.clover", "2026-01-28.clover", "2026-02-25.clover"),
    *("2026-03-25.dahlia", "2026-08-26.dahlia"),
    *("2026-09-30.endive", API_VERSION),
)


def train_of(version: str) -> str:
    """`endive` of `2026-10-28.endive`. A version that is not rendered: ApiError 400."""
    if version not in VERSIONS:
        raise invalid_request(
            f"Invalid Stripe API version: {version}. stripe-double renders {', '.join(VERSIONS)}.",
        )
    return version.rpartition(".")[2]


def steps_down_to(train: str) -> tuple[str, ...]:
    """The trains to undo, newest first, to get from the newest one to `train`."""
    return tuple(reversed(TRAINS[TRAINS.index(train) + 1 :]))


def steps_up_from(train: str) -> tuple[str, ...]:
    """The trains to go through, oldest first, to get from `train` to the newest one."""
    return TRAINS[TRAINS.index(train) + 1 :]
