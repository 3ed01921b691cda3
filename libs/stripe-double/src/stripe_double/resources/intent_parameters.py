"""What payment intents and setup intents share: which payment methods suit, and saying no."""

from __future__ import annotations

from stripe_double.engine.errors import ApiError, card_declined, invalid_request, parameter_invalid
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.payment_methods import (
    BILLING_MODELS,
    TYPES,
    check_usable,
    method_from_data,
    resolved,
)

_BY_CURRENCY = {"usd": ["card", "us_bank_account"], "eur": ["card", "sepa_debit"]}
_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_SHIPPING = ("carrier", "name", "phone", "tracking_number")

DATA_MODELS = (
    "payment_method payment_method_data.type payment_method_data.metadata.* "
    "payment_method_data.sepa_debit.iban payment_method_data.us_bank_account.account_number "
    "payment_method_data.us_bank_account.account_holder_type "
    "payment_method_data.us_bank_account.account_type "
    "payment_method_data.us_bank_account.routing_number "
    + " ".join(f"payment_method_data.{name}" for name in BILLING_MODELS.split())
)
MANDATE_MODELS = (
    "mandate_data.customer_acceptance.type mandate_data.customer_acceptance.accepted_at "
    "mandate_data.customer_acceptance.online.ip_address "
    "mandate_data.customer_acceptance.online.user_agent"
)
SHIPPING_MODELS = " ".join(
    f"shipping.{name}" for name in (*_SHIPPING, *(f"address.{part}" for part in _ADDRESS))
)
ONLY_TYPES = {"payment_method_data.type": TYPES - {"card"}, "allowed_payment_method_types[]": TYPES}


def method_types(params: JsonObject, currency: str | None) -> JsonObject:
    """The members that say which payment methods may be used, from an intent's parameters."""
    allowed = params.get("allowed_payment_method_types") or None
    automatic = params.get("automatic_payment_methods")
    if allowed and automatic:
        raise invalid_request(
            "You may only specify one of these parameters: allowed_payment_method_types, "
            "automatic_payment_methods."
        )
    if allowed:
        return {
            "allowed_payment_method_types": allowed,
            "automatic_payment_methods": None,
            "payment_method_types": allowed,
        }
    redirects = (automatic or {}).get("allow_redirects") or "always"
    return {
        "allowed_payment_method_types": None,
        "automatic_payment_methods": {"allow_redirects": redirects, "enabled": True},
        "payment_method_types": _BY_CURRENCY.get(currency or "usd", ["card"]),
    }


def chosen_method(tx: Transaction, params: JsonObject, intent: Record) -> Record | None:
    """The payment method that the parameters name or describe and that suits the intent, if any."""
    if params.get("payment_method"):
        method = resolved(tx, params["payment_method"])
    elif params.get("payment_method_data"):
        method = method_from_data(tx, params["payment_method_data"])
    else:
        return None
    if method["type"] not in intent["payment_method_types"]:
        raise parameter_invalid(
            "payment_method",
            f"The PaymentMethod provided ({method['type']}) is not allowed for this intent. "
            f"It accepts: {', '.join(intent['payment_method_types'])}.",
            "payment_intent_incompatible_payment_method",
        )
    owner = method["customer"]
    if owner is None:
        check_usable(tx, method)
    elif intent["customer"] is None:
        raise parameter_invalid(
            "payment_method",
            f"The PaymentMethod {method['id']} belongs to the Customer {owner}. Please include "
            "the Customer in the `customer` parameter.",
            "payment_method_customer_decline",
        )
    elif owner != intent["customer"]:
        raise parameter_invalid(
            "payment_method",
            f"The PaymentMethod {method['id']} belongs to another Customer than the intent.",
        )
    return method


def shipping_from(params: JsonObject) -> JsonObject | None:
    """`shipping` as the answer shows it."""
    given = params.get("shipping") or None
    if given is None:
        return None
    address = given.get("address") or {}
    return {
        "address": {name: address.get(name) or None for name in _ADDRESS},
        **{name: given.get(name) or None for name in _SHIPPING},
    }


def refusal(
    decline_code: str, kind: str, intent: Record, method: Record, charge: str | None = None
) -> ApiError:
    """402 with the intent (`kind`: payment_intent or setup_intent) and the method, as at Stripe."""
    details: JsonObject = {kind: intent, "payment_method": method}
    if charge is not None:
        details["charge"] = charge
    return card_declined(decline_code, details)
