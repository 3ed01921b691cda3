"""Early fraud warnings: the card's network says that a payment may be fraud."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, page

_KIND = "radar.early_fraud_warning"
FRAUD_TYPES = (
    "card_never_received",
    "fraudulent_card_application",
    "made_with_counterfeit_card",
    "made_with_lost_card",
    "made_with_stolen_card",
    "misc",
    "unauthorized_use_of_card",
)


def warn(tx: Transaction, charge: Record, *, fraud_type: str = "misc") -> JsonObject:
    """Create and announce a warning. It is actionable until the charge is refunded or disputed."""
    warning = tx.put(
        {
            "id": tx.new_id(_KIND),
            "object": _KIND,
            "actionable": not charge["refunded"] and not charge["disputed"],
            "charge": charge["id"],
            "created": tx.now,
            "fraud_type": fraud_type,
            "livemode": False,
            "payment_intent": charge["payment_intent"],
        }
    )
    tx.emit(f"{_KIND}.created", warning)
    return warning


def close_for(tx: Transaction, charge: Record) -> None:
    """The charge was refunded in full, or disputed: nothing is left to be done."""
    for warning in list(tx.newest(_KIND, where={"charge": charge["id"]})):
        tx.change(warning, f"{_KIND}.updated", actionable=False)


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/radar/early_fraud_warnings/{id}"""
    return dict(tx.get(_KIND, call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/radar/early_fraud_warnings"""
    where = equal_to(call.params, "charge", "payment_intent")
    found = created_within(tx.newest(_KIND, where=where), call.params)
    return page(found, call.params, url="/v1/radar/early_fraud_warnings")


OPERATIONS = (
    operation(
        "radar.early_fraud_warnings.list",
        "GET /v1/radar/early_fraud_warnings",
        list_all,
        "charge payment_intent",
    ),
    operation(
        "radar.early_fraud_warnings.retrieve", "GET /v1/radar/early_fraud_warnings/{id}", retrieve
    ),
)
