"""Setup intents: a payment method made ready for later, without money."""

from __future__ import annotations

from stripe_double.engine.errors import ApiError, decline_of, invalid_request, state_conflict
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import banks, mandates, metadata, payment_methods, subscription_setup
from stripe_double.resources.intent_parameters import (
    DATA_MODELS,
    MANDATE_MODELS,
    ONLY_TYPES,
    chosen_method,
    method_types,
    refusal,
)
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, page

_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
LIFECYCLE = Lifecycle(
    "SetupIntent",
    {
        **{(state, "prepare"): "requires_confirmation" for state in _OPEN},
        **{(state, "succeed"): "succeeded" for state in _OPEN},
        **{(state, "fail"): "requires_payment_method" for state in _OPEN},
        **{(state, "require action"): "requires_action" for state in _OPEN},
        **{(state, "cancel"): "canceled" for state in _OPEN},
    },
)
_EVENTS = {
    "succeed": "setup_intent.succeeded",
    "fail": "setup_intent.setup_failed",
    "require action": "setup_intent.requires_action",
}


def new_setup_intent(
    tx: Transaction, *, customer: str | None, values: Record | None = None
) -> JsonObject:
    """Create and announce an intent that waits for a payment method."""
    intent_id = tx.new_id("setup_intent")
    intent = tx.put(
        {
            "id": intent_id,
            "object": "setup_intent",
            "allowed_payment_method_types": None,
            "application": None,
            "automatic_payment_methods": None,
            "cancellation_reason": None,
            "client_secret": f"{intent_id}_{tx.new_id('client_secret')}",
            "created": tx.now,
            "customer": customer,
            "customer_account": None,
            "description": None,
            "excluded_payment_method_types": None,
            "flow_directions": None,
            "last_setup_error": None,
            "latest_attempt": None,
            "livemode": False,
            "managed_payments": None,
            "mandate": None,
            "metadata": {},
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": {},
            "payment_method_types": ["card"],
            "single_use_mandate": None,
            "status": "requires_payment_method",
            "usage": "off_session",
            **(values or {}),
        }
    )
    tx.emit("setup_intent.created", intent)
    return intent


def attempt(tx: Transaction, intent: Record, method: Record) -> JsonObject:
    """Ask the method's bank once; the intent afterwards: succeeded, requires_action or refused."""
    bank = banks.behaviour_of(tx, method["id"])
    action = "succeed"
    if bank["authentication"] != "never" and not banks.is_proved(tx, method["id"]):
        action = "require action"
    elif not bank["attaches"] and bank["decline_code"]:
        action = "fail"
    return _end(tx, intent, method, action, bank["decline_code"] or "generic_decline")


def _end(
    tx: Transaction, intent: Record, method: Record, action: str, decline_code: str
) -> JsonObject:
    failed = action == "fail"
    status = LIFECYCLE.next(intent["status"], action)
    error = _error(method, decline_code) if failed else None
    attempt_status = {"succeed": "succeeded", "fail": "failed"}.get(action, "requires_action")
    trace = _new_attempt(tx, intent, method, attempt_status, error)
    if action == "succeed":
        if intent["customer"] is not None:
            payment_methods.attached(tx, method, intent["customer"])
        banks.change(tx, method["id"], set_up=True)
    after = tx.put(
        {
            **intent,
            "last_setup_error": error,
            "latest_attempt": trace["id"],
            "next_action": _next_action(tx, intent) if action == "require action" else None,
            "payment_method": None if failed else method["id"],
            "status": status,
        }
    )
    tx.emit(_EVENTS[action], after)
    if action == "succeed":
        subscription_setup.follow(tx, after)
    return after


def authenticate(tx: Transaction, intent: Record, *, succeeds: bool) -> JsonObject:
    """The buyer answers the question of `next_action`, or fails to: the intent afterwards."""
    if intent["status"] != "requires_action":
        raise state_conflict(f"This setup is {intent['status']}; it asks nothing of the buyer.")
    method = tx.get("payment_method", intent["payment_method"])
    if succeeds:
        banks.prove(tx, method["id"])
        return attempt(tx, intent, method)
    return _end(tx, intent, method, "fail", "setup_intent_authentication_failure")


def cancel_intent(tx: Transaction, intent: Record, *, reason: str | None) -> JsonObject:
    """Cancel an intent that has not succeeded; any other: ApiError 400."""
    after = tx.put(
        {
            **intent,
            "cancellation_reason": reason,
            "next_action": None,
            "status": LIFECYCLE.next(intent["status"], "cancel"),
        }
    )
    tx.emit("setup_intent.canceled", after)
    return after


def create(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """POST /v1/setup_intents"""
    params = call.params
    customer = params.get("customer") or None
    if customer is not None:
        tx.get("customer", customer, param="customer")
    intent: Record = new_setup_intent(
        tx,
        customer=customer,
        values={
            **method_types(params, None),
            "description": params.get("description") or None,
            "metadata": metadata.given(params),
            "usage": params.get("usage") or "off_session",
        },
    )
    intent = _prepared(tx, intent, params)
    return _confirmed(tx, intent, params) if params.get("confirm") else dict(intent)


def confirm(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """POST /v1/setup_intents/{id}/confirm. Refused by the bank: 402, and the attempt is kept."""
    intent = tx.get("setup_intent", call.object_id)
    if not LIFECYCLE.allows(intent["status"], "prepare"):
        raise _unexpected_state(intent, "confirm")
    return _confirmed(tx, _prepared(tx, intent, call.params), call.params)


def _prepared(tx: Transaction, intent: Record, params: JsonObject) -> Record:
    method = chosen_method(tx, params, intent)
    if method is None:
        return intent
    status = LIFECYCLE.next(intent["status"], "prepare")
    return tx.put({**intent, "payment_method": method["id"], "status": status})


def _confirmed(tx: Transaction, intent: Record, params: JsonObject) -> JsonObject | ApiError:
    if intent["payment_method"] is None:
        raise _unexpected_state(intent, "confirm without a payment method")
    method = tx.get("payment_method", intent["payment_method"])
    mandate = mandates.accept(tx, method, params.get("mandate_data"), single_use=None)
    if mandate is not None:
        intent = tx.put({**intent, "mandate": mandate})
    after = attempt(tx, intent, method)
    if after["status"] == "requires_action" and params.get("return_url"):
        after = tx.put({**after, "next_action": _next_action(tx, after, params["return_url"])})
    if after["last_setup_error"] is not None:
        code = after["last_setup_error"]["decline_code"]
        return refusal(code, "setup_intent", after, method)
    return after


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/setup_intents/{id}"""
    before, params = tx.get("setup_intent", call.object_id), call.params
    if not LIFECYCLE.allows(before["status"], "prepare") and params.keys() - {"metadata", "expand"}:
        raise _unexpected_state(before, "update")
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if "description" in params:
        values["description"] = params["description"] or None
    if params.get("customer"):
        values["customer"] = tx.get("customer", params["customer"], param="customer")["id"]
    if params.get("allowed_payment_method_types"):
        values |= method_types(params, None)
    return dict(_prepared(tx, tx.change(before, **values), params))


def cancel(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/setup_intents/{id}/cancel"""
    intent = tx.get("setup_intent", call.object_id)
    if not LIFECYCLE.allows(intent["status"], "cancel"):
        raise _unexpected_state(intent, "cancel")
    return cancel_intent(tx, intent, reason=call.params.get("cancellation_reason") or None)


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/setup_intents/{id}"""
    intent = tx.get("setup_intent", call.object_id)
    secret = call.params.get("client_secret")
    if secret is not None and secret != intent["client_secret"]:
        raise invalid_request(
            "The client_secret provided does not match the one of this SetupIntent.",
            param="client_secret",
        )
    return dict(intent)


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/setup_intents"""
    where = equal_to(call.params, "customer", "payment_method")
    found = created_within(tx.newest("setup_intent", where=where), call.params)
    return page(found, call.params, url="/v1/setup_intents")


def list_attempts(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/setup_attempts of one setup intent"""
    where = {"setup_intent": call.params["setup_intent"]}
    found = created_within(tx.newest("setup_attempt", where=where), call.params)
    return page(found, call.params, url="/v1/setup_attempts")


def _new_attempt(
    tx: Transaction, intent: Record, method: Record, status: str, error: JsonObject | None
) -> JsonObject:
    return tx.put(
        {
            "id": tx.new_id("setup_attempt"),
            "object": "setup_attempt",
            "application": None,
            "created": tx.now,
            "customer": intent["customer"],
            "customer_account": None,
            "flow_directions": None,
            "livemode": False,
            "on_behalf_of": None,
            "payment_method": method["id"],
            "payment_method_details": {method["type"]: {}, "type": method["type"]},
            "setup_error": error,
            "setup_intent": intent["id"],
            "status": status,
            "usage": intent["usage"],
        }
    )


def _error(method: Record, decline_code: str) -> JsonObject:
    code, message = decline_of(decline_code)
    return {
        "code": code,
        "decline_code": decline_code,
        "message": message,
        "payment_method": method,
        "type": "card_error",
    }


def _next_action(tx: Transaction, intent: Record, return_url: str | None = None) -> JsonObject:
    url = f"{tx.options.page_base_url}/c/authenticate/{intent['id']}"
    return {
        "redirect_to_url": {"return_url": return_url, "url": url},
        "type": "redirect_to_url",
    }


def _unexpected_state(intent: Record, action: str) -> ApiError:
    return state_conflict(
        f"You cannot {action} this SetupIntent because it has a status of {intent['status']}.",
        code="setup_intent_unexpected_state",
    )


_SETUP = f"customer description metadata metadata.* allowed_payment_method_types[] {DATA_MODELS} "
_CONFIRM = f"return_url use_stripe_sdk {MANDATE_MODELS} "
_NO = frozenset({False})
OPERATIONS = (
    operation(
        "setup_intents.create",
        "POST /v1/setup_intents",
        create,
        f"{_SETUP} {_CONFIRM} confirm usage automatic_payment_methods.enabled "
        "automatic_payment_methods.allow_redirects",
        {
            **ONLY_TYPES,
            "automatic_payment_methods.enabled": frozenset({True}),
            "use_stripe_sdk": _NO,
        },
    ),
    operation("setup_intents.list", "GET /v1/setup_intents", list_all, "customer payment_method"),
    operation("setup_intents.retrieve", "GET /v1/setup_intents/{id}", retrieve, "client_secret"),
    operation("setup_intents.update", "POST /v1/setup_intents/{id}", update, _SETUP, ONLY_TYPES),
    operation(
        "setup_intents.confirm",
        "POST /v1/setup_intents/{id}/confirm",
        confirm,
        f"{DATA_MODELS} {_CONFIRM}",
        {"payment_method_data.type": ONLY_TYPES["payment_method_data.type"], "use_stripe_sdk": _NO},
    ),
    operation(
        "setup_intents.cancel",
        "POST /v1/setup_intents/{id}/cancel",
        cancel,
        "cancellation_reason",
    ),
    operation("setup_attempts.list", "GET /v1/setup_attempts", list_attempts, "setup_intent"),
)
