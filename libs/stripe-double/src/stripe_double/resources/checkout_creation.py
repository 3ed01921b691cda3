"""How a Checkout Session begins: what a request or a visit to a payment link must and may say."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, parameter_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.checkout_items import check_mode, new_items
from stripe_double.resources.checkout_sessions import PLAN
from stripe_double.resources.intent_parameters import SHIPPING_MODELS
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.payment_methods import TYPES

MIN_LIFE_SECONDS = 30 * 60
MAX_LIFE_SECONDS = 24 * 3600


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/checkout/sessions"""
    params = call.params
    mode = params.get("mode") or _missing("mode")
    success_url = params.get("success_url") or _missing("success_url")
    _check_pairs(mode, params)
    items = new_items(tx, params)
    check_mode(mode, items)
    return new_session(tx, params, items, success_url=success_url)


def new_session(
    tx: Transaction,
    params: JsonObject,
    items: list[Record],
    *,
    success_url: str | None,
    payment_link: str | None = None,
) -> JsonObject:
    """An open session for these line items. `params` are typed and checked; without a success
    address the hosted page itself confirms the purchase."""
    mode = params["mode"]
    customer = _customer(tx, params)
    expires_at = _expires_at(tx.now, params)
    total = sum(item["amount_total"] for item in items)
    email = params.get("customer_email") or None
    session_id = tx.new_id("checkout.session")
    session: JsonObject = {
        **_constants(),
        "id": session_id,
        "object": "checkout.session",
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "allowed_payment_method_types": params.get("allowed_payment_method_types") or None,
        "amount_subtotal": total,
        "amount_total": total,
        "billing_address_collection": params.get("billing_address_collection") or None,
        "cancel_url": params.get("cancel_url") or None,
        "client_reference_id": params.get("client_reference_id") or None,
        "created": tx.now,
        "currency": items[0]["currency"],
        "customer": None if customer is None else customer["id"],
        "customer_creation": _customer_creation(mode, customer),
        "customer_details": _details(customer, email),
        "customer_email": email,
        "expires_at": expires_at,
        "integration_identifier": params.get("integration_identifier") or None,
        "locale": params.get("locale") or None,
        "metadata": metadata.given(params),
        "mode": mode,
        "payment_link": payment_link,
        "payment_method_types": params.get("allowed_payment_method_types") or ["card"],
        "payment_status": "unpaid",
        "status": "open",
        "submit_type": params.get("submit_type") or None,
        "success_url": success_url,
        "url": f"{tx.options.page_base_url}/c/pay/{session_id}",
    }
    tx.keep(
        PLAN,
        {
            "id": session_id,
            "items": items,
            "subscription_data": params.get("subscription_data") or {},
            "payment_intent_data": params.get("payment_intent_data") or {},
        },
    )
    return tx.put(session)


def _constants() -> JsonObject:
    return {
        "adaptive_pricing": None,
        "after_expiration": None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "branding_settings": None,
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer_account": None,
        "discounts": [],
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "managed_payments": None,
        "optional_items": None,
        "origin_context": None,
        "payment_intent": None,
        "payment_method_collection": "always",
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "subscription": None,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "wallet_options": None,
    }


def _missing(name: str) -> str:
    raise parameter_missing(name)


def _check_pairs(mode: str, params: JsonObject) -> None:
    if params.get("customer") and params.get("customer_email"):
        raise invalid_request(
            "You may only specify one of these parameters: customer, customer_email."
        )
    for name, right_mode in (
        ("subscription_data", "subscription"),
        ("payment_intent_data", "payment"),
    ):
        if params.get(name) and mode != right_mode:
            raise invalid_request(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    days = (params.get("subscription_data") or {}).get("trial_period_days")
    if days is not None and not 1 <= days <= 730:
        raise invalid_request(
            "The trial must last between 1 and 730 days.",
            param="subscription_data[trial_period_days]",
        )


def _customer(tx: Transaction, params: JsonObject) -> Record | None:
    customer_id = params.get("customer")
    return tx.get("customer", customer_id, param="customer") if customer_id else None


def _customer_creation(mode: str, customer: Record | None) -> str | None:
    if customer is not None:
        return None
    return "always" if mode == "subscription" else "if_required"


def _details(customer: Record | None, email: str | None) -> JsonObject | None:
    if customer is None and email is None:
        return None
    return {
        "address": None,
        "business_name": None,
        "email": email if customer is None else customer["email"],
        "individual_name": None,
        "name": None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }


def _expires_at(now: int, params: JsonObject) -> int:
    given = params.get("expires_at")
    if given is None:
        return now + MAX_LIFE_SECONDS
    if given < now + MIN_LIFE_SECONDS:
        raise invalid_request(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session "
            "creation.",
            param="expires_at",
        )
    if given > now + MAX_LIFE_SECONDS:
        raise invalid_request(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    return int(given)


PRICE_DATA = (
    "currency product product_data.name product_data.metadata.* product_data.unit_label "
    "recurring.interval recurring.interval_count tax_behavior unit_amount"
)
_MODELS = (
    "mode success_url cancel_url client_reference_id customer customer_email expires_at "
    "integration_identifier locale metadata metadata.* ui_mode allow_promotion_codes "
    "allowed_payment_method_types[] automatic_tax.enabled billing_address_collection "
    "payment_method_collection tax_id_collection.enabled phone_number_collection.enabled "
    "line_items[].price line_items[].quantity subscription_data.metadata.* "
    "subscription_data.description subscription_data.trial_period_days "
    "subscription_data.billing_mode.type payment_intent_data.metadata.* "
    "payment_intent_data.description payment_intent_data.setup_future_usage "
) + " ".join(
    [
        *(f"line_items[].price_data.{name}" for name in PRICE_DATA.split()),
        *(f"payment_intent_data.{name}" for name in SHIPPING_MODELS.split()),
    ]
)
_NO = frozenset({False})
_ONLY = {
    "mode": frozenset({"subscription", "payment"}),
    "ui_mode": frozenset({"hosted_page"}),
    "allowed_payment_method_types[]": TYPES,
    "automatic_tax.enabled": _NO,
    "billing_address_collection": frozenset({"auto"}),
    "payment_method_collection": frozenset({"always"}),
    "tax_id_collection.enabled": _NO,
    "phone_number_collection.enabled": _NO,
    "subscription_data.billing_mode.type": frozenset({"flexible"}),
}

OPERATIONS = (
    operation("checkout.sessions.create", "POST /v1/checkout/sessions", create, _MODELS, _ONLY),
)
