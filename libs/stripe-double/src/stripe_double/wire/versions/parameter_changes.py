"""Request parameters that a train renamed or reshaped: old shape in, new shape out.

The trees hold strings, as they came; types are told by the parameter tables of the newest version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stripe_double.engine.errors import invalid_request
from stripe_double.engine.records import JsonObject

Reshape = Callable[[JsonObject], JsonObject]

_NEW_UI_MODES = {"hosted": "hosted_page", "embedded": "embedded_page", "custom": "elements"}


def _renamed(old: str, new: str) -> Reshape:
    def rename(params: JsonObject) -> JsonObject:
        if old not in params:
            return params
        rest = {name: value for name, value in params.items() if name != old}
        return {**rest, new: params[old]}

    return rename


def _ui_mode_named_as_since_dahlia(params: JsonObject) -> JsonObject:
    mode = params.get("ui_mode")
    if mode is None:
        return params
    if mode not in _NEW_UI_MODES:
        choices = ", ".join(sorted(_NEW_UI_MODES))
        raise invalid_request(f"Invalid ui_mode: must be one of {choices}", param="ui_mode")
    return {**params, "ui_mode": _NEW_UI_MODES[mode]}


def _anchor_as_object(params: JsonObject) -> JsonObject:
    anchor = params.get("billing_cycle_anchor")
    if anchor is None:
        return params
    if anchor not in {"now", "unchanged"}:
        raise invalid_request(
            "Invalid billing_cycle_anchor: must be one of now, unchanged",
            param="billing_cycle_anchor",
        )
    return {**params, "billing_cycle_anchor": {"type": anchor}}


def _preview_anchor_as_object(params: JsonObject) -> JsonObject:
    details = params.get("subscription_details")
    if not isinstance(details, dict) or str(details.get("billing_cycle_anchor")).isdecimal():
        return params
    return {**params, "subscription_details": _anchor_as_object(details)}


def _coupon_as_promotion(params: JsonObject) -> JsonObject:
    if "coupon" not in params:
        return params
    rest = {name: value for name, value in params.items() if name != "coupon"}
    return {**rest, "promotion": {"type": "coupon", "coupon": params["coupon"]}}


def _transfer_named_as_now(params: JsonObject) -> JsonObject:
    """Stripe's CLI, which names no version, still says `jp_bank_account`."""
    options = params.get("payment_method_options")
    if not isinstance(options, dict):
        return params
    balance = options.get("customer_balance")
    if not isinstance(balance, dict):
        return params
    transfer = balance.get("bank_transfer")
    if not isinstance(transfer, dict) or transfer.get("type") != "jp_bank_account":
        return params
    renamed = {**balance, "bank_transfer": {**transfer, "type": "jp_bank_transfer"}}
    return {**params, "payment_method_options": {**options, "customer_balance": renamed}}


def _intent_as_since_endive(params: JsonObject) -> JsonObject:
    return _transfer_named_as_now(_ALLOWED_TYPES(params))


_ALLOWED_TYPES = _renamed("payment_method_types", "allowed_payment_method_types")

RESHAPED: Mapping[str, Mapping[str, Reshape]] = {
    "endive": {
        "POST /v1/checkout/sessions": _ALLOWED_TYPES,
        "POST /v1/payment_intents": _intent_as_since_endive,
        "POST /v1/payment_intents/{id}": _ALLOWED_TYPES,
        "POST /v1/setup_intents": _ALLOWED_TYPES,
        "POST /v1/subscriptions/{id}": _anchor_as_object,
        "POST /v1/invoices/create_preview": _preview_anchor_as_object,
    },
    "dahlia": {"POST /v1/checkout/sessions": _ui_mode_named_as_since_dahlia},
    "clover": {"POST /v1/promotion_codes": _coupon_as_promotion},
}
"""By train: `METHOD /v1/path/{id}` -> the function that makes its change."""
