"""Cash balances: money a customer sent by bank transfer that no payment has taken yet."""

from __future__ import annotations

from stripe_double.engine.errors import parameter_invalid
from stripe_double.engine.records import JsonObject
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.operations import Call, operation

_CASH = "customer.cash"
_TRANSFERS = {
    "gbp": "gb_bank_transfer",
    "jpy": "jp_bank_transfer",
    "mxn": "mx_bank_transfer",
    "usd": "us_bank_transfer",
}


def available(tx: Transaction, customer_id: str, currency: str) -> int:
    """What no payment has taken yet, in minor units."""
    cash = tx.store.find(_CASH, customer_id)
    return int(cash["available"].get(currency, 0)) if cash else 0


def has_cash_balance(tx: Transaction, customer_id: str) -> bool:
    """Whether money ever came: then Stripe keeps the customer, even at zero."""
    return tx.store.find(_CASH, customer_id) is not None


def fund(tx: Transaction, customer_id: str, amount: int, currency: str) -> JsonObject:
    """A bank transfer of the customer arrives: the transaction that notes it."""
    if amount < 1:
        raise parameter_invalid("amount", "Amount must be at least 1.", "parameter_invalid_integer")
    kind = _TRANSFERS.get(currency, "eu_bank_transfer" if currency == "eur" else None)
    if kind is None:
        raise parameter_invalid("currency", f"No bank transfer comes in {currency}.")
    sender: dict[str, JsonObject] = {
        "eu_bank_transfer": {"bic": None, "iban_last4": None, "sender_name": None},
        "gb_bank_transfer": {"account_number_last4": None, "sender_name": None, "sort_code": None},
        "jp_bank_transfer": {"sender_bank": None, "sender_branch": None, "sender_name": None},
        "us_bank_transfer": {"network": "ach", "sender_name": None},
    }
    shown = {kind: sender[kind]} if kind in sender else {}
    transfer = {"reference": None, "type": kind, **shown}
    return _move(tx, customer_id, amount, currency, funded={"bank_transfer": transfer})


def take(tx: Transaction, customer_id: str, amount: int, currency: str, intent_id: str) -> None:
    """A payment takes money out of the balance."""
    _move(tx, customer_id, -amount, currency, applied_to_payment={"payment_intent": intent_id})


def give_back(
    tx: Transaction, customer_id: str, amount: int, currency: str, intent_id: str
) -> None:
    """A payment that is canceled gives back what it took."""
    shown = {"payment_intent": intent_id}
    _move(tx, customer_id, amount, currency, unapplied_from_payment=shown)


def announce_rest(tx: Transaction, customer_id: str, currency: str) -> None:
    """Tell that money is left after every payment that waits took its part."""
    if available(tx, customer_id, currency) > 0:
        tx.emit("cash_balance.funds_available", _shown(tx, customer_id))


def _move(
    tx: Transaction, customer_id: str, amount: int, currency: str, **of_kind: JsonObject
) -> JsonObject:
    after = available(tx, customer_id, currency) + amount
    cash = tx.store.find(_CASH, customer_id) or {"id": customer_id, "available": {}}
    tx.keep(_CASH, {**cash, "available": {**cash["available"], currency: after}})
    moved = tx.put(
        {
            "id": tx.new_id("customer_cash_balance_transaction"),
            "object": "customer_cash_balance_transaction",
            "created": tx.now,
            "currency": currency,
            "customer": customer_id,
            "customer_account": None,
            "ending_balance": after,
            "livemode": False,
            "net_amount": amount,
            "type": next(iter(of_kind)),
            **of_kind,
        }
    )
    tx.emit("customer_cash_balance_transaction.created", moved)
    return moved


def _shown(tx: Transaction, customer_id: str) -> JsonObject:
    cash = tx.store.find(_CASH, customer_id)
    return {
        "object": "cash_balance",
        "available": dict(cash["available"]) if cash else None,
        "customer": customer_id,
        "customer_account": None,
        "livemode": False,
        "settings": {"reconciliation_mode": "automatic", "using_merchant_default": True},
    }


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/customers/{id}/cash_balance"""
    return _shown(tx, tx.get("customer", call.object_id)["id"])


OPERATIONS = (
    operation("customers.retrieve_cash_balance", "GET /v1/customers/{id}/cash_balance", retrieve),
)
