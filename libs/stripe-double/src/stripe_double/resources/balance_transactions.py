"""The account's balance: every movement of money, each with its fee and its net.

The balance is nothing but their sum. Stripe's fee here is 2.9 % and 30 minor units of a payment;
it is not returned by a refund. A dispute costs 1500 minor units, won or lost.
"""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, page

PENDING_SECONDS = 2 * 86_400
DISPUTE_FEE = 1500
# Type of movement -> reporting category, as Stripe's reports name it.
_CATEGORIES = {
    "adjustment": "dispute",
    "charge": "charge",
    "payment": "charge",
    "payment_failure_refund": "refund_failure",
    "payment_refund": "refund",
    "refund": "refund",
    "refund_failure": "refund_failure",
}


def payment_fee(amount: int) -> int:
    """2.9 % and 30, rounded half up, in minor units."""
    return (amount * 29 + 500) // 1000 + 30


def new_balance_transaction(
    tx: Transaction,
    *,
    kind: str,
    amount: int,
    currency: str,
    source: str,
    description: str | None = None,
    fee: int = 0,
    at_once: bool = False,
    category: str | None = None,
) -> JsonObject:
    """Note a movement of `amount` minor units (negative: out) for the object `source`."""
    details = {
        "amount": fee,
        "application": None,
        "currency": currency,
        "description": "Dispute fee" if kind == "adjustment" else "Stripe processing fees",
        "type": "stripe_fee",
    }
    at_once = at_once or amount < 0
    movement = tx.put(
        {
            "id": tx.new_id("balance_transaction"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": tx.now if at_once else tx.now + PENDING_SECONDS,
            "balance_type": "payments",
            "created": tx.now,
            "currency": currency,
            "description": description,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [details] if fee else [],
            "net": amount - fee,
            "reporting_category": category or _CATEGORIES[kind],
            "source": source,
            "status": "available" if at_once else "pending",
            "type": kind,
        }
    )
    if amount > 0 and at_once and kind in {"charge", "payment"}:
        tx.emit("balance.available", balance_now(tx))
    return movement


def rendered(tx: Transaction, transaction: Record) -> JsonObject:
    """The movement as of now: what was pending becomes available by the clock alone."""
    available = transaction["available_on"] <= tx.now
    return {**transaction, "status": "available" if available else "pending"}


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/balance_transactions/{id}"""
    return rendered(tx, tx.get("balance_transaction", call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/balance_transactions"""
    where = equal_to(call.params, "currency", "source", "type")
    found = created_within(tx.newest("balance_transaction", where=where), call.params)
    listed = page(found, call.params, url="/v1/balance_transactions")
    return {**listed, "data": [rendered(tx, movement) for movement in listed["data"]]}


def balance(tx: Transaction, _call: Call) -> JsonObject:
    """GET /v1/balance"""
    return balance_now(tx)


def balance_now(tx: Transaction) -> JsonObject:
    """Per currency, what is available and what is still pending."""
    sums: dict[str, dict[str, int]] = {"available": {}, "pending": {}}
    for movement in tx.store.oldest("balance_transaction"):
        part = sums[rendered(tx, movement)["status"]]
        part[movement["currency"]] = part.get(movement["currency"], 0) + movement["net"]
    currencies = sorted(sums["available"].keys() | sums["pending"].keys()) or ["usd"]
    return {
        "object": "balance",
        "livemode": False,
        "refund_and_dispute_prefunding": None,
        **{
            status: [
                {
                    "amount": part.get(currency, 0),
                    "currency": currency,
                    "source_types": {"card": part.get(currency, 0)},
                }
                for currency in currencies
            ]
            for status, part in sums.items()
        },
    }


OPERATIONS = (
    operation("balance.retrieve", "GET /v1/balance", balance),
    operation(
        "balance_transactions.list",
        "GET /v1/balance_transactions",
        list_all,
        "currency source type",
    ),
    operation("balance_transactions.retrieve", "GET /v1/balance_transactions/{id}", retrieve),
)
