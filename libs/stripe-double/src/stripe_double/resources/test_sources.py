"""What a buyer types as a payment method: a test card, a test account, or nothing."""

from __future__ import annotations

from stripe_double.resources.test_accounts import ACCOUNTS, Account
from stripe_double.resources.test_cards import Card, card_of

NOTHING = "none"


def source_of(number: str) -> Card | Account | None:
    """The test card or account with this number (blanks allowed); None for `none`. ApiError 402."""
    if number == NOTHING:
        return None
    return ACCOUNTS.get(number.replace(" ", "").upper()) or card_of(number)
