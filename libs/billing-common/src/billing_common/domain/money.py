"""Money is an integer number of minor units and a currency. There are no floats here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# BIGINT UNSIGNED would hold more; Stripe's own ceiling is 99,999,999 for a charge.
AMOUNT_MINOR_MAX: Final = 2**63 - 1
# What one charge can take, all pieces together.
CHARGE_MINOR_MAX: Final = 99_999_999
_CURRENCY = re.compile(r"[a-z]{3}\Z")


@dataclass(frozen=True, slots=True)
class Money:
    """`amount_minor` in the currency's smallest unit; `currency` is lower-case ISO 4217."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.amount_minor, bool) or not isinstance(self.amount_minor, int):
            raise TypeError("an amount is an integer number of minor units")
        if not 0 <= self.amount_minor <= AMOUNT_MINOR_MAX:
            raise ValueError("an amount is between 0 and 2^63 - 1 minor units")
        if not _CURRENCY.match(self.currency):
            raise ValueError("a currency is three lower-case letters")
