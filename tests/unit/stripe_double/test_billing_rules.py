"""The pure rules of billing: shares of time, balances, credit notes, plans of change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripe_double.engine.errors import ApiError
from stripe_double.resources.credit_note_amounts import creditable, divide
from stripe_double.resources.invoice_states import settled_balance
from stripe_double.resources.periods import period_at, period_end
from stripe_double.resources.proration import Debit, share, unused
from stripe_double.resources.subscription_changes import Moment, Plan, plan_change

MONTH = {"interval": "month", "interval_count": 1}
YEAR = {"interval": "year", "interval_count": 1}
START = 1_790_000_000
AMOUNTS = st.integers(0, 10**9)
SECONDS = st.integers(START, START + 40 * 86_400)


@given(AMOUNTS, st.integers(1, 40 * 86_400), SECONDS)
def test_a_share_is_exact_to_half_a_unit_and_never_more_than_all(
    amount: int, span: int, at: int
) -> None:
    found = share(amount, START, START + span, at)
    assert 0 <= found <= amount
    left = min(max(START + span - at, 0), span)
    assert abs(2 * found * span - 2 * amount * left) <= span
    assert share(-amount, START, START + span, at) == -found


@given(AMOUNTS, st.integers(2, 40 * 86_400), SECONDS, SECONDS)
def test_a_share_shrinks_with_time(amount: int, span: int, one: int, other: int) -> None:
    early, late = sorted((one, other))
    end = START + span
    assert share(amount, START, end, early) >= share(amount, START, end, late)
    assert unused(Debit(START, end, amount), end) == 0
    assert unused(Debit(START, end, amount), START) == amount


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_a_balance_and_a_total_are_conserved(total: int, balance: int) -> None:
    due, after = settled_balance(total, balance)
    assert due + after == total + balance
    assert due >= 0
    assert after <= 0


@given(
    st.integers(1, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(1, 2 * 10**6),
    st.booleans(),
)
def test_a_credit_note_is_divided_without_loss(
    remaining: int, paid: int, refunded: int, total: int, is_open: bool
) -> None:
    invoice = {
        "amount_paid": paid,
        "amount_remaining": remaining if is_open else 0,
        "post_payment_credit_notes_amount": 0,
        "status": "open" if is_open else "paid",
    }
    rest = max(0, total - invoice["amount_remaining"])
    most = creditable(invoice, refunded)
    ways = {"refund": 0, "credit": rest, "out_of_band": 0}
    if total > most:
        with pytest.raises(ApiError):
            divide(invoice, total, refunded=refunded, **ways)
        return
    parts = divide(invoice, total, refunded=refunded, **ways)
    assert parts.total == total
    assert parts.pre_payment <= invoice["amount_remaining"]
    assert parts.post_payment <= max(0, paid - refunded)


def item(
    name: str, unit_amount: int, quantity: int = 1, *, recurring: Any = MONTH
) -> dict[str, Any]:
    return {
        "id": name,
        "price": {"id": f"price_{name}_{unit_amount}", "unit_amount": unit_amount}
        | {"recurring": recurring},
        "quantity": quantity,
        "current_period_start": START,
        "current_period_end": period_end(START, recurring, anchor=START),
    }


def plan(before: list[Any], after: list[Any], at: int, **values: Any) -> Plan:
    debits = {
        one["id"]: Debit(
            one["current_period_start"],
            one["current_period_end"],
            one["price"]["unit_amount"] * one["quantity"],
        )
        for one in before
    }
    return plan_change(
        before,
        after,
        Moment(now=at, proration_date=at, anchor=START),
        **{"prorates": True, "resets_anchor": False, "debit_of": debits.get, **values},
    )


@given(
    st.lists(st.tuples(AMOUNTS, st.integers(0, 9)), min_size=1, max_size=4),
    st.lists(st.tuples(AMOUNTS, st.integers(0, 9)), min_size=1, max_size=4),
    st.integers(0, 28 * 86_400),
)
def test_a_plan_credits_only_what_left_and_debits_only_what_came(
    before: list[tuple[int, int]], after: list[tuple[int, int]], passed: int
) -> None:
    old = [item(f"si_{i}", amount, count) for i, (amount, count) in enumerate(before)]
    new = [item(f"si_{i}", amount, count) for i, (amount, count) in enumerate(after)]
    found = plan(old, new, START + passed)
    ends = {one["current_period_end"] for one in found.items}
    assert ends == {period_end(START, MONTH, anchor=START)}
    credits = [one for one in found.prorations if one.amount_minor < 0]
    debits = [one for one in found.prorations if one.amount_minor >= 0]
    asked = sum(one["price"]["unit_amount"] * one["quantity"] for one in old)
    assert -sum(one.amount_minor for one in credits) <= asked
    same = {one["id"] for one in old if one in new}
    assert not same & {one.item["id"] for one in found.prorations}
    assert {one.item["id"] for one in debits} <= {one["id"] for one in new}
    assert found.whole == []


def test_going_there_and_back_in_one_second_costs_nothing() -> None:
    small, big = [item("si_1", 1000)], [item("si_1", 3000)]
    at = START + 10 * 86_400
    there = plan(small, big, at)
    (credit, debit) = there.prorations
    spent = Debit(debit.start, debit.end, debit.amount_minor)
    back = plan(big, small, at, debit_of=lambda _: spent)
    total = sum(one.amount_minor for one in (*there.prorations, *back.prorations))
    assert total == 0
    assert credit.amount_minor < 0 < debit.amount_minor


def test_no_proration_is_none_and_another_rhythm_is_a_whole_period() -> None:
    small, big = [item("si_1", 1000)], [item("si_1", 3000)]
    assert plan(small, big, START + 5, prorates=False).prorations == []
    yearly = [item("si_1", 9000, recurring=YEAR)]
    found = plan(small, yearly, START + 86_400)
    assert (found.anchor, len(found.whole), len(found.prorations)) == (START + 86_400, 1, 1)
    joined = plan(small, [*small, item("si_2", 9000, recurring=YEAR)], START + 86_400)
    assert joined.whole == []
    assert joined.items[1]["current_period_end"] == period_end(START, YEAR, anchor=START)


@given(
    SECONDS,
    st.integers(-400 * 86_400, 400 * 86_400),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 3),
)
def test_every_second_is_in_one_period_of_the_grid(
    anchor: int, away: int, interval: str, count: int
) -> None:
    recurring = {"interval": interval, "interval_count": count}
    second = anchor + away
    start, end = period_at(second, recurring, anchor=anchor)
    assert start <= second < end
    assert period_at(end, recurring, anchor=anchor)[0] == end
