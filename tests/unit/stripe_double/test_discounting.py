"""Coupons over lines: adds up exactly, never takes more than there is."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stripe_double.resources.discounting import Portion, discounted, spread


def percent(value: float, products: list[str] | None = None) -> dict[str, Any]:
    return {"percent_off": value, "amount_off": None, "applies_to": {"products": products or []}}


def amount(value: int) -> dict[str, Any]:
    return {"percent_off": None, "amount_off": value}


PORTIONS = st.lists(
    st.builds(
        Portion,
        st.integers(-500, 100_000),
        st.sampled_from(["prod_a", "prod_b", None]),
        st.booleans(),
    ),
    max_size=6,
)
COUPONS = st.lists(
    st.one_of(
        st.builds(
            percent,
            st.integers(1, 10_000).map(lambda hundredths: hundredths / 100),
            st.sampled_from([None, ["prod_a"]]),
        ),
        st.builds(amount, st.integers(1, 200_000)),
    ),
    max_size=4,
)


@given(PORTIONS, COUPONS)
def test_nothing_is_taken_that_is_not_there(lines: list[Portion], coupons: list[Any]) -> None:
    taken = discounted(lines, coupons)
    assert [len(row) for row in taken] == [len(coupons)] * len(lines)
    for line, row in zip(lines, taken, strict=True):
        assert all(part >= 0 for part in row)
        assert sum(row) <= max(0, line.amount)
        if not line.discountable:
            assert sum(row) == 0


@given(PORTIONS, st.integers(1, 200_000))
def test_an_amount_off_is_taken_whole_or_all_there_is(lines: list[Portion], off: int) -> None:
    open_sum = sum(line.amount for line in lines if line.discountable and line.amount > 0)
    assert sum(row[0] for row in discounted(lines, [amount(off)])) == min(off, open_sum)


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), max_size=8))
def test_parts_add_up_and_stay_near_their_share(total: int, amounts: list[int]) -> None:
    parts = spread(total, amounts)
    whole = sum(amounts)
    assert sum(parts) == (total if whole else 0)
    for part, share in zip(parts, amounts, strict=True):
        assert not whole or abs(part * whole - total * share) < whole


def test_coupons_apply_one_after_another_and_only_to_their_products() -> None:
    lines = [Portion(1000, "prod_a"), Portion(555, "prod_b")]
    assert discounted(lines, [percent(50), amount(600)]) == ((500, 386), (278, 214))
    assert discounted(lines, [percent(10, ["prod_b"])]) == ((0,), (56,))
    assert discounted(lines, [percent(100), percent(50)]) == ((1000, 0), (555, 0))
