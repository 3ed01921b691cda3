"""Stripe's test bank accounts: payments that are processed first and settle or fail later."""

from __future__ import annotations

from dataclasses import dataclass

from stripe_double.engine.errors import invalid_request
from stripe_double.engine.records import JsonObject

SOON_SECONDS = 1
LATER_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Account:
    """A test bank account: how a payment from it ends, and after how many virtual seconds."""

    kind: str
    number: str
    #: Why the payment fails in the end; None: it succeeds.
    failure_code: str | None = None
    settles_after_seconds: int = SOON_SECONDS

    @property
    def behaviour(self) -> JsonObject:
        """What the bank does, as it is stored beside a payment method made from this account."""
        return {
            "attaches": True,
            "authentication": "never",
            "available_at_once": False,
            "decline_code": self.failure_code,
            "dispute_reason": None,
            "fraud_type": None,
            "inquiry": False,
            "refunds": "succeeded",
            "settles_after_seconds": self.settles_after_seconds,
        }


ACCOUNTS = {
    account.number: account
    for account in (
        Account("us_bank_account", "000123456789"),
        Account("us_bank_account", "000111111113", "account_closed"),
        Account("us_bank_account", "000111111116", "no_account"),
        Account("us_bank_account", "000222222227", "insufficient_funds"),
        Account("us_bank_account", "000333333335", "debit_not_authorized"),
        Account("us_bank_account", "000000000009", None, LATER_SECONDS),
        Account("sepa_debit", "AT611904300234573201"),
        Account("sepa_debit", "AT321904300235473204", None, LATER_SECONDS),
        Account("sepa_debit", "AT861904300235473202", "debit_not_authorized"),
        Account("sepa_debit", "AT051904300235473205", "debit_not_authorized", LATER_SECONDS),
        Account("sepa_debit", "DE89370400440532013000"),
        Account("sepa_debit", "DE08370400440532013003", None, LATER_SECONDS),
        Account("sepa_debit", "DE62370400440532013001", "debit_not_authorized"),
        # The account with which Stripe's CLI wants a payment to fail.
        Account("sepa_debit", "IT60X0542811101000000123456", "debit_not_authorized"),
    )
}
_NAMED = {
    "pm_usBankAccount_success": "000123456789",
    "pm_usBankAccount_accountClosed": "000111111113",
    "pm_usBankAccount_noAccount": "000111111116",
    "pm_usBankAccount_insufficientFunds": "000222222227",
    "pm_usBankAccount_debitNotAuthorized": "000333333335",
    "pm_usBankAccount_processing": "000000000009",
}
ROUTING_NUMBER = "110000000"


def account_of(kind: str, number: str, *, param: str) -> Account:
    """The test account of this kind with this number or IBAN (blanks allowed), or ApiError 400."""
    account = ACCOUNTS.get(number.replace(" ", "").upper())
    if account is None or account.kind != kind:
        known = ", ".join(number for number, found in ACCOUNTS.items() if found.kind == kind)
        raise invalid_request(
            f"Not a test account that stripe-double knows. It knows: {known}.",
            code="account_number_invalid" if kind == "us_bank_account" else "invalid_bank_account",
            param=param,
        )
    return account


def account_named(test_id: str) -> Account | None:
    """The account of `pm_usBankAccount_success` and the like; None for other ids."""
    number = _NAMED.get(test_id)
    return None if number is None else ACCOUNTS[number]
