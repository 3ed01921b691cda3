"""What the bank behind a payment method does: as its test number says, or the control plane.

A private record per payment method: Stripe does not show it.
"""

from __future__ import annotations

from typing import Any

from stripe_double.engine.records import Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.test_accounts import Account
from stripe_double.resources.test_cards import CARDS, Card

_BANK = "bank_behaviour"
_PAYS = {
    "mandate": None,
    **CARDS["4242424242424242"].behaviour,
    "proved_at": None,
    "set_up": False,
    "spent": False,
}


def open_account(tx: Transaction, method_id: str, source: Card | Account) -> None:
    """Begin with the behaviour of a test card or test account."""
    tx.keep(_BANK, {**_PAYS, **source.behaviour, "id": method_id})


def behaviour_of(tx: Transaction, method_id: str) -> Record:
    """`decline_code attaches authentication refunds dispute_reason inquiry fraud_type
    available_at_once settles_after_seconds`; `set_up`: for off-session use; `spent`: used without
    a customer, or detached, and so never usable again; `mandate`: its id; `proved_at`: see
    `prove`."""
    return tx.store.find(_BANK, method_id) or {**_PAYS, "id": method_id}


def change(tx: Transaction, method_id: str, **values: Any) -> None:
    """From now on the bank behaves so."""
    tx.keep(_BANK, {**behaviour_of(tx, method_id), **values})


def prove(tx: Transaction, method_id: str) -> None:
    """The buyer is there and proves who he is: no payment of this moment asks him again."""
    change(tx, method_id, proved_at=tx.now)


def is_proved(tx: Transaction, method_id: str) -> bool:
    """Whether the buyer proved himself in this virtual second."""
    proved_at: int | None = behaviour_of(tx, method_id)["proved_at"]
    return proved_at == tx.now
