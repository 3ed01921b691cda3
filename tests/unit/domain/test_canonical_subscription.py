"""dup_canonical_v2: one subscription is the current one, and it does not depend on who asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.canonical_subscription import ALGORITHM_VERSION, select_canonical
from billing_common.domain.subscription import TERMINAL, Subscription, SubscriptionStatus

T0 = datetime(2026, 1, 1, tzinfo=UTC)
S = SubscriptionStatus


def _row(
    identifier: str, status: SubscriptionStatus, *, day: int = 0, is_current: bool = False
) -> Subscription:
    return Subscription(
        id=None,
        billable_entity_id=1,
        billing_customer_id=1,
        plan_id=1,
        provider="stripe",
        provider_subscription_id=identifier,
        status=status,
        provider_subscription_created_at=T0 + timedelta(days=day),
        current_period_start=None,
        current_period_end=None,
        trial_end=None,
        cancel_at=None,
        canceled_at=None,
        ended_at=None,
        cancel_at_period_end=False,
        is_current=is_current,
        operation_key=None,
        watermark=None,
        row_version=1,
    )


CASES = [
    # None at all, or only ended ones: nobody is current.
    ([], None),
    ([_row("a", S.CANCELED), _row("b", S.INCOMPLETE_EXPIRED)], None),
    # An ended one never wins, however old.
    ([_row("a", S.CANCELED, day=0), _row("b", S.ACTIVE, day=9)], "b"),
    # Paid before incomplete, although the incomplete one is older.
    ([_row("a", S.INCOMPLETE, day=0), _row("b", S.ACTIVE, day=5)], "b"),
    ([_row("a", S.INCOMPLETE, day=0), _row("b", S.UNPAID, day=5)], "b"),
    # The oldest provider creation.
    ([_row("b", S.ACTIVE, day=1), _row("a", S.ACTIVE, day=2)], "b"),
    ([_row("b", S.PAST_DUE, day=1), _row("a", S.ACTIVE, day=2)], "b"),
    # Same second: the smaller id, so that everybody picks the same.
    ([_row("b", S.ACTIVE), _row("a", S.ACTIVE)], "a"),
    ([_row("a", S.INCOMPLETE, day=3)], "a"),
    # Who carries the flag now does not matter: the choice must not depend on arrival.
    ([_row("a", S.ACTIVE, day=1), _row("b", S.ACTIVE, day=2, is_current=True)], "a"),
]


@pytest.mark.requirement("EVT-12")
@pytest.mark.parametrize(("rows", "expected"), CASES)
def test_the_canonical_subscription(rows: list[Subscription], expected: str | None) -> None:
    for order in permutations(rows):
        chosen = select_canonical(order)
        assert (chosen.provider_subscription_id if chosen else None) == expected


ROWS = st.lists(
    st.builds(
        _row,
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from(list(S)),
        day=st.integers(0, 2),
    ),
    max_size=5,
    unique_by=lambda row: row.provider_subscription_id,
)


@given(ROWS)
def test_somebody_is_chosen_exactly_when_somebody_lives(rows: list[Subscription]) -> None:
    chosen = select_canonical(rows)
    assert (chosen is not None) is any(row.status not in TERMINAL for row in rows)
    if chosen is not None:
        rest = [row for row in rows if row is not chosen]
        # Taking away somebody else never changes the choice.
        assert select_canonical([chosen, *rest[1:]]) == chosen


def test_the_rule_has_a_version() -> None:
    """Remediation rows name it: a new rule is a new name."""
    assert ALGORITHM_VERSION == "dup_canonical_v2"
