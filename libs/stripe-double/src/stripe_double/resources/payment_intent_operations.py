"""The API of payment intents: create, confirm, capture, cancel, update, list."""

from __future__ import annotations

from stripe_double.engine.errors import (
    ApiError,
    invalid_request,
    not_modelled,
    parameter_invalid,
    parameter_missing,
    state_conflict,
)
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import (
    bank_transfers,
    charges,
    mandates,
    metadata,
    payment_intents,
    settlements,
)
from stripe_double.resources.intent_parameters import (
    DATA_MODELS,
    MANDATE_MODELS,
    ONLY_TYPES,
    SHIPPING_MODELS,
    chosen_method,
    method_types,
    refusal,
    shipping_from,
)
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.payment_intents import LIFECYCLE
from stripe_double.resources.prices import currency_of
from stripe_double.wire.lists import created_within, equal_to, page

_MINIMUM = {"usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "cad": 50, "aud": 50, "chf": 50}
_MAX_AMOUNT = 99_999_999
_TEXTS = (
    "capture_method",
    "confirmation_method",
    "description",
    "receipt_email",
    "setup_future_usage",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
_ALWAYS_CHANGEABLE = frozenset({"metadata", "description", "receipt_email", "expand"})
_CHANGEABLE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})


def create(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """POST /v1/payment_intents"""
    params = call.params
    if params.get("amount") is None:
        raise parameter_missing("amount")
    currency = currency_of(params)
    amount = _checked_amount(params["amount"], currency)
    customer = params.get("customer") or None
    if customer is not None:
        tx.get("customer", customer, param="customer")
    _check_confirming(params)
    texts = {name: params[name] or None for name in _TEXTS if params.get(name)}
    intent: Record = payment_intents.new_payment_intent(
        tx,
        amount_minor=amount,
        currency=currency,
        customer=customer,
        metadata=metadata.given(params),
        values={
            "setup_future_usage": None,
            **texts,
            **method_types(params, currency),
            "shipping": shipping_from(params),
        },
    )
    intent = _prepared(tx, intent, params)
    return _confirmed(tx, intent, params) if params.get("confirm") else dict(intent)


def confirm(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """POST /v1/payment_intents/{id}/confirm. Refused by the bank: 402, and the attempt is kept."""
    intent, params = tx.get("payment_intent", call.object_id), call.params
    if not LIFECYCLE.allows(intent["status"], "prepare"):
        raise unexpected_state(intent, "confirm", _CHANGEABLE)
    bank_transfers.check_unmoved(tx, intent)
    values: JsonObject = {}
    if "receipt_email" in params:
        values["receipt_email"] = params["receipt_email"] or None
    if "setup_future_usage" in params:
        values["setup_future_usage"] = params["setup_future_usage"] or None
    if "capture_method" in params:
        values["capture_method"] = params["capture_method"]
    if "shipping" in params:
        values["shipping"] = shipping_from(params)
    if params.get("allowed_payment_method_types"):
        values |= method_types(params, intent["currency"])
    if values:
        intent = tx.put({**intent, **values})
    return _confirmed(tx, _prepared(tx, intent, params), params)


def _prepared(tx: Transaction, intent: Record, params: JsonObject) -> Record:
    """The intent with the payment method of the parameters, if they name one."""
    method = chosen_method(tx, params, intent)
    if method is None:
        return intent
    status = LIFECYCLE.next(intent["status"], "prepare")
    return tx.put({**intent, "payment_method": method["id"], "status": status})


def _confirmed(tx: Transaction, intent: Record, params: JsonObject) -> JsonObject | ApiError:
    if intent["payment_method"] is None:
        raise state_conflict(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken.",
            code="payment_intent_unexpected_state",
        )
    method = tx.get("payment_method", intent["payment_method"])
    if method["type"] == bank_transfers.METHOD:
        return bank_transfers.confirm(tx, intent, params)
    if params.get("payment_method_options"):
        name = "payment_method_options"
        raise not_modelled(f"{name} with this payment method", param=name)
    later = intent["setup_future_usage"] == "off_session"
    once = None if later else {"amount": intent["amount"], "currency": intent["currency"]}
    mandates.accept(tx, method, params.get("mandate_data"), single_use=once)
    off_session = params.get("off_session") not in (None, "", False, "false")
    before = intent
    after = payment_intents.attempt(
        tx,
        intent,
        method,
        decline_code=None,
        purpose=payment_intents.purpose_of(tx, intent),
        off_session=off_session,
    )
    if after["status"] == "requires_action" and params.get("error_on_requires_action"):
        after = payment_intents.fail_action(tx, after, "authentication_required")
    elif after["status"] == "requires_action" and params.get("return_url"):
        after = payment_intents.return_to(tx, after, params["return_url"])
    settlements.follow(tx, before, after)
    error = after["last_payment_error"]
    if after["status"] == "requires_payment_method" and error is not None:
        return refusal(error["decline_code"], "payment_intent", after, method, error.get("charge"))
    return after


def capture(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/payment_intents/{id}/capture: all of it, or less; the rest is let go."""
    intent, params = tx.get("payment_intent", call.object_id), call.params
    if not LIFECYCLE.allows(intent["status"], "capture"):
        raise unexpected_state(intent, "capture", {"requires_capture"})
    amount = params.get("amount_to_capture")
    amount = intent["amount_capturable"] if amount is None else amount
    if not 0 < amount <= intent["amount_capturable"]:
        raise parameter_invalid(
            "amount_to_capture",
            f"The amount_to_capture must be between 1 and {intent['amount_capturable']}.",
            "amount_too_large" if amount > 0 else "parameter_invalid_integer",
        )
    charge = charges.capture(tx, tx.get("charge", intent["latest_charge"]), amount)
    after = tx.put(
        {
            **intent,
            "amount_capturable": 0,
            "amount_received": amount,
            "metadata": metadata.merged(intent, params),
            "status": LIFECYCLE.next(intent["status"], "capture"),
        }
    )
    tx.emit("payment_intent.succeeded", after)
    payment_intents.follow_money(tx, charge, tx.get("payment_method", intent["payment_method"]))
    settlements.follow(tx, intent, after)
    return after


def cancel(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/payment_intents/{id}/cancel"""
    intent = tx.get("payment_intent", call.object_id)
    if not LIFECYCLE.allows(intent["status"], "cancel"):
        raise unexpected_state(intent, "cancel", _CHANGEABLE | {"requires_capture"})
    if "invoice" in payment_intents.purpose_of(tx, intent):
        raise state_conflict(
            "You cannot cancel a PaymentIntent that pays an invoice; void the invoice instead.",
            code="payment_intent_unexpected_state",
        )
    reason = call.params.get("cancellation_reason") or None
    after = payment_intents.cancel(tx, intent, reason=reason)
    bank_transfers.cancel(tx, intent)
    return after


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/payment_intents/{id}. Once it is paid, only what no bank has seen may change."""
    before, params = tx.get("payment_intent", call.object_id), call.params
    if before["status"] not in _CHANGEABLE and params.keys() - _ALWAYS_CHANGEABLE:
        raise unexpected_state(before, "update", _CHANGEABLE)
    if params.keys() - _ALWAYS_CHANGEABLE:
        bank_transfers.check_unmoved(tx, before)
    values: JsonObject = {name: params[name] or None for name in _TEXTS if name in params}
    if "currency" in params:
        values["currency"] = currency_of(params)
    if "amount" in params or "currency" in params:
        currency: str = values.get("currency") or before["currency"]
        amount: int = before["amount"] if params.get("amount") is None else params["amount"]
        values["amount"] = _checked_amount(amount, currency)
    if params.get("customer"):
        values["customer"] = tx.get("customer", params["customer"], param="customer")["id"]
    if params.get("allowed_payment_method_types"):
        values |= method_types(params, before["currency"])
    if "shipping" in params:
        values["shipping"] = shipping_from(params)
    values["metadata"] = metadata.merged(before, params)
    return dict(_prepared(tx, tx.change(before, **values), params))


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/payment_intents/{id}"""
    intent = tx.get("payment_intent", call.object_id)
    secret = call.params.get("client_secret")
    if secret is not None and secret != intent["client_secret"]:
        raise invalid_request(
            "The client_secret provided does not match the one of this PaymentIntent.",
            param="client_secret",
        )
    return dict(intent)


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/payment_intents"""
    where = equal_to(call.params, "customer")
    found = created_within(tx.newest("payment_intent", where=where), call.params)
    return page(found, call.params, url="/v1/payment_intents")


def unexpected_state(intent: Record, action: str, allowed: frozenset[str] | set[str]) -> ApiError:
    """400 `payment_intent_unexpected_state`, in Stripe's words."""
    names = ", ".join(sorted(allowed))
    return state_conflict(
        f"You cannot {action} this PaymentIntent because it has a status of {intent['status']}. "
        f"Only a PaymentIntent with one of the following statuses may be changed so: {names}.",
        code="payment_intent_unexpected_state",
    )


def _checked_amount(amount: int, currency: str) -> int:
    if amount < _MINIMUM.get(currency, 1):
        raise parameter_invalid(
            "amount",
            f"Amount must be at least {_MINIMUM.get(currency, 1)} {currency} minor units.",
            "amount_too_small" if amount >= 1 else "parameter_invalid_integer",
        )
    if amount > _MAX_AMOUNT:
        raise parameter_invalid(
            "amount", "Amount must be no more than $999,999.99", "amount_too_large"
        )
    return amount


def _check_confirming(params: JsonObject) -> None:
    if params.get("confirm"):
        return
    if params.get("payment_method_options"):
        name = "payment_method_options"
        raise not_modelled(f"{name} before the intent is confirmed", param=name)
    for name in ("off_session", "error_on_requires_action", "return_url", "mandate_data"):
        if params.get(name):
            raise invalid_request(
                f"The parameter `{name}` cannot be passed when creating a PaymentIntent unless "
                "`confirm` is set to true.",
                param=name,
            )


_SETUP = (
    "capture_method receipt_email setup_future_usage metadata metadata.* "
    "allowed_payment_method_types[] "
    f"{DATA_MODELS} {SHIPPING_MODELS} "
)
_CONFIRM = f"error_on_requires_action off_session return_url use_stripe_sdk {MANDATE_MODELS} "
_NEW = "amount currency customer description statement_descriptor statement_descriptor_suffix "
_NO = frozenset({False})
_ONLY = {
    **{name: types | {bank_transfers.METHOD} for name, types in ONLY_TYPES.items()},
    "capture_method": frozenset({"automatic", "automatic_async", "manual"}),
}
OPERATIONS = (
    operation(
        "payment_intents.create",
        "POST /v1/payment_intents",
        create,
        f"{_NEW} {_SETUP} {_CONFIRM} {bank_transfers.OPTION_MODELS} "
        "transfer_group confirm confirmation_method "
        "automatic_payment_methods.enabled automatic_payment_methods.allow_redirects",
        {
            **_ONLY,
            **bank_transfers.ONLY_OPTIONS,
            "automatic_payment_methods.enabled": frozenset({True}),
            "use_stripe_sdk": _NO,
        },
    ),
    operation("payment_intents.list", "GET /v1/payment_intents", list_all, "customer"),
    operation(
        "payment_intents.retrieve", "GET /v1/payment_intents/{id}", retrieve, "client_secret"
    ),
    operation(
        "payment_intents.update",
        "POST /v1/payment_intents/{id}",
        update,
        f"{_NEW} {_SETUP} transfer_group",
        _ONLY,
    ),
    operation(
        "payment_intents.confirm",
        "POST /v1/payment_intents/{id}/confirm",
        confirm,
        f"{_SETUP} {_CONFIRM} {bank_transfers.OPTION_MODELS}".replace("metadata metadata.* ", ""),
        {**_ONLY, **bank_transfers.ONLY_OPTIONS, "use_stripe_sdk": _NO},
    ),
    operation(
        "payment_intents.capture",
        "POST /v1/payment_intents/{id}/capture",
        capture,
        "amount_to_capture metadata metadata.* final_capture",
        {"final_capture": frozenset({True})},
    ),
    operation(
        "payment_intents.cancel",
        "POST /v1/payment_intents/{id}/cancel",
        cancel,
        "cancellation_reason",
    ),
)
