"""Money: whole minor units and a currency, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.money import AMOUNT_MINOR_MAX, Money


@given(st.integers(0, AMOUNT_MINOR_MAX), st.from_regex(r"[a-z]{3}", fullmatch=True))
def test_whole_minor_units_of_a_currency(amount: int, currency: str) -> None:
    money = Money(amount, currency)
    assert (money.amount_minor, money.currency) == (amount, currency)


@pytest.mark.parametrize("amount", [1.0, 0.1, True, "1", None])
def test_an_amount_is_an_integer(amount: Any) -> None:
    with pytest.raises(TypeError):
        Money(amount, "usd")


@pytest.mark.parametrize("amount", [-1, AMOUNT_MINOR_MAX + 1])
def test_an_amount_fits_its_column(amount: int) -> None:
    with pytest.raises(ValueError, match="amount"):
        Money(amount, "usd")


@pytest.mark.requirement("SCOPE-08")
@pytest.mark.parametrize("currency", ["USD", "us", "usdx", "", "u1d", "usd\n", "üsd"])
def test_a_currency_is_three_lower_case_letters(currency: str) -> None:
    with pytest.raises(ValueError, match="currency"):
        Money(1, currency)
