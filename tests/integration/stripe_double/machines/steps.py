"""What a step of a walk may be: an action by name, two numbers and a flag that say how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

CARDS = (
    "4242424242424242",
    "4000000000000002",
    "4000000000009995",
    "4000000000000341",
    "4000002760003184",
    "4000000000000259",
    "4000000000005126",
)
AMOUNTS = (1, 99, 700, 1201, 5001, 100_000)
LIVING = ("incomplete", "trialing", "active", "past_due", "unpaid", "paused")
NUMBERS = st.sampled_from(range(60))


def one_of(choices: Sequence[Any], number: int) -> Any:
    return choices[number % len(choices)]


def steps(*actions: str) -> Any:
    """A rule that takes one of the actions; two numbers and a flag say how.

    One rule instead of one for each: Hypothesis leaves most rules out of any one walk, which makes
    long chains of different steps rare.
    """
    return rule(action=st.sampled_from(actions), which=NUMBERS, how=NUMBERS, flag=st.booleans())
