"""Payments that wait for a bank transfer: the customer sends money, and payments take it.

Stripe's automatic reconciliation, in part: the payment that waits for the exact sum comes first,
then the oldest. Groups of payments, references and open invoices are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

from stripe_double.engine.errors import (
    not_modelled,
    parameter_invalid,
    parameter_missing,
)
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import cash_balances, payment_intents
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.prices import currency_of

METHOD = "customer_balance"
OPTION_MODELS = (
    "payment_method_options.customer_balance.funding_type "
    "payment_method_options.customer_balance.bank_transfer.type"
)
ONLY_OPTIONS = {
    "payment_method_options.customer_balance.bank_transfer.type": frozenset({"jp_bank_transfer"})
}
FUNDING = Lifecycle(
    "bank transfer",
    {
        ("unfunded", "fund in part"): "partially_funded",
        ("unfunded", "fund in full"): "funded",
        ("unfunded", "cancel"): "canceled",
        ("partially_funded", "fund in part"): "partially_funded",
        ("partially_funded", "fund in full"): "funded",
        ("partially_funded", "cancel"): "canceled",
    },
)
_WAITING = "payment.bank_transfer"
"""Private collection, by intent id: `status` (see FUNDING), `applied` minor units, `customer`,
`currency`, `reference`, `account_number`."""
_NOWHERE: JsonObject = dict.fromkeys(
    ("city", "country", "line1", "line2", "postal_code", "state"), None
)


def next_to_fund(remaining: Mapping[str, int], amount: int) -> str | None:
    """Which payment takes the money. `remaining`: minor units by intent id, oldest first. Pure."""
    exact = (intent_id for intent_id, wanted in remaining.items() if wanted == amount)
    return next(exact, None) or next(iter(remaining), None)


def is_waiting(tx: Transaction, intent: Record) -> bool:
    """Whether the intent waits for a bank transfer."""
    waiting = tx.store.find(_WAITING, intent["id"])
    return waiting is not None and FUNDING.allows(waiting["status"], "cancel")


def check_unmoved(tx: Transaction, intent: Record) -> None:
    """ApiError 501: what becomes of a transfer under way when its intent changes is not known."""
    if is_waiting(tx, intent):
        raise not_modelled("changing a payment that waits for a bank transfer")


def confirm(tx: Transaction, intent: Record, params: JsonObject) -> JsonObject:
    """Take what the customer's balance has; show where to send the rest."""
    options = _checked_options(intent, params)
    waiting: JsonObject = {
        "id": intent["id"],
        "account_number": "".join(str(ord(c) % 10) for c in tx.new_id("reference"))[:7],
        "applied": 0,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "reference": tx.new_id("reference").upper(),
        "status": "unfunded",
    }
    tx.keep(_WAITING, waiting)
    intent = tx.put({**intent, "payment_method_options": {METHOD: options}})
    held = cash_balances.available(tx, intent["customer"], intent["currency"])
    if held < intent["amount"]:
        intent = tx.put(
            {
                **intent,
                "last_payment_error": None,
                "next_action": _instructions(waiting, intent["amount"]),
                "status": payment_intents.LIFECYCLE.next(intent["status"], "require action"),
            }
        )
        tx.emit("payment_intent.requires_action", intent)
    return _apply(tx, intent, held) if held > 0 else dict(intent)


def _checked_options(intent: Record, params: JsonObject) -> JsonObject:
    if intent["customer"] is None:
        raise parameter_missing("customer")
    for name in ("error_on_requires_action", "off_session", "mandate_data"):
        if params.get(name):
            raise not_modelled(f"{name} with a bank transfer", param=name)
    if intent["setup_future_usage"] or intent["capture_method"] == "manual":
        name = "setup_future_usage" if intent["setup_future_usage"] else "capture_method"
        raise parameter_invalid(name, f"`{name}` cannot be used with customer_balance.")
    given = (params.get("payment_method_options") or {}).get(METHOD) or {}
    transfer = given.get("bank_transfer") or {}
    if not given.get("funding_type") or not transfer.get("type"):
        name = f"payment_method_options[{METHOD}][funding_type]"
        raise not_modelled("a customer's cash balance without a bank transfer", param=name)
    if intent["currency"] != "jpy":
        raise parameter_invalid("currency", f"A {transfer['type']} is made in jpy.")
    return {"bank_transfer": {"type": transfer["type"]}, "funding_type": given["funding_type"]}


def _instructions(waiting: Record, amount_remaining: int) -> JsonObject:
    account = {
        "account_holder_address": _NOWHERE,
        "account_holder_name": "STRIPE DOUBLE",
        "account_number": waiting["account_number"],
        "account_type": "futsu",
        "bank_address": _NOWHERE,
        "bank_code": "0000",
        "bank_name": "STRIPE TEST BANK",
        "branch_code": "000",
        "branch_name": "TEST",
    }
    address = {"supported_networks": ["zengin"], "type": "zengin", "zengin": account}
    return {
        "display_bank_transfer_instructions": {
            "amount_remaining": amount_remaining,
            "currency": waiting["currency"],
            "financial_addresses": [address],
            "hosted_instructions_url": None,
            "reference": waiting["reference"],
            "type": "jp_bank_transfer",
        },
        "type": "display_bank_transfer_instructions",
    }


def _apply(tx: Transaction, intent: Record, held: int) -> JsonObject:
    """The intent takes what it needs of the `held` money, and is paid when that is enough."""
    waiting = tx.get(_WAITING, intent["id"])
    amount = min(held, intent["amount"] - waiting["applied"])
    applied = waiting["applied"] + amount
    paid = applied == intent["amount"]
    status = FUNDING.next(waiting["status"], "fund in full" if paid else "fund in part")
    waiting = {**waiting, "applied": applied, "status": status}
    tx.keep(_WAITING, waiting)
    cash_balances.take(tx, intent["customer"], amount, intent["currency"], intent["id"])
    if not paid:
        shown = _instructions(waiting, intent["amount"] - applied)
        after = tx.put({**intent, "next_action": shown})
        tx.emit("payment_intent.partially_funded", after)
        return after
    return payment_intents.attempt(
        tx,
        intent,
        tx.get("payment_method", intent["payment_method"]),
        decline_code=None,
        purpose=payment_intents.purpose_of(tx, intent),
    )


def cancel(tx: Transaction, intent: Record) -> None:
    """The intent is canceled: what it took goes back, and to the payments that wait."""
    waiting = tx.store.find(_WAITING, intent["id"])
    if waiting is None or not FUNDING.allows(waiting["status"], "cancel"):
        return
    after = {**waiting, "applied": 0, "status": FUNDING.next(waiting["status"], "cancel")}
    tx.keep(_WAITING, after)
    if waiting["applied"]:
        customer, currency = waiting["customer"], waiting["currency"]
        cash_balances.give_back(tx, customer, waiting["applied"], currency, intent["id"])
        _reconcile(tx, customer, currency)


def _reconcile(tx: Transaction, customer_id: str, currency: str) -> None:
    while (held := cash_balances.available(tx, customer_id, currency)) > 0:
        waiting = tx.newest(_WAITING, where={"customer": customer_id, "currency": currency})
        remaining = {
            row["id"]: tx.get("payment_intent", row["id"])["amount"] - row["applied"]
            for row in reversed(list(waiting))
            if FUNDING.allows(row["status"], "fund in part")
        }
        chosen = next_to_fund(remaining, held)
        if chosen is None:
            break
        _apply(tx, tx.get("payment_intent", chosen), held)
    cash_balances.announce_rest(tx, customer_id, currency)


def fund(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/test_helpers/customers/{id}/fund_cash_balance: the customer sends money."""
    customer = tx.get("customer", call.object_id)
    currency = currency_of(call.params)
    funded = cash_balances.fund(tx, customer["id"], call.params["amount"], currency)
    _reconcile(tx, customer["id"], currency)
    return funded


OPERATIONS = (
    operation(
        "test_helpers.customers.fund_cash_balance",
        "POST /v1/test_helpers/customers/{id}/fund_cash_balance",
        fund,
        "amount currency",
    ),
)
