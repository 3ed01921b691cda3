"""Mandates: the buyer's word that his account may be debited, given with `mandate_data`."""

from __future__ import annotations

from stripe_double.engine.errors import parameter_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import banks
from stripe_double.resources.operations import Call, operation


def accept(
    tx: Transaction, method: Record, given: JsonObject | str | None, *, single_use: Record | None
) -> str | None:
    """The id of a new mandate for the payment method; None when no acceptance was given.

    `single_use`: the one payment that it covers (`amount`, `currency`); None: all to come.
    """
    if not given or isinstance(given, str):
        return None
    acceptance = given["customer_acceptance"]
    mandate = tx.put(
        {
            "id": tx.new_id("mandate"),
            "object": "mandate",
            "customer_acceptance": _shown(acceptance),
            "livemode": False,
            "multi_use" if single_use is None else "single_use": dict(single_use or {}),
            "payment_method": method["id"],
            "payment_method_details": {
                method["type"]: _details(tx, method["type"]),
                "type": method["type"],
            },
            "status": "active",
            "type": "multi_use" if single_use is None else "single_use",
        }
    )
    banks.change(tx, method["id"], mandate=mandate["id"])
    return str(mandate["id"])


def _shown(acceptance: JsonObject) -> JsonObject:
    kind, accepted_at = acceptance["type"], acceptance.get("accepted_at")
    online = acceptance.get("online")
    if kind == "offline":
        return {"accepted_at": accepted_at, "offline": {}, "type": kind}
    for name in ("ip_address", "user_agent"):
        if not (online or {}).get(name):
            raise parameter_missing(f"mandate_data[customer_acceptance][online][{name}]")
    return {"accepted_at": accepted_at, "online": dict(online or {}), "type": kind}


def _details(tx: Transaction, kind: str) -> JsonObject:
    if kind == "sepa_debit":
        return {"reference": tx.new_id("reference").upper(), "url": "https://hooks.stripe.com/"}
    return {}


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/mandates/{id}"""
    return dict(tx.get("mandate", call.object_id))


OPERATIONS = (operation("mandates.retrieve", "GET /v1/mandates/{id}", retrieve),)
