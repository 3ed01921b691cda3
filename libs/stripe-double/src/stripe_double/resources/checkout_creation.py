"""How a Checkout Session begins: what a request or a visit to a payment link must and may say."""

from __future__ import annotations

from stripe_double.engine.errors import parameter_invalid, parameter_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.checkout_amounts import priced, totals
from stripe_double.resources.checkout_items import check_mode, new_items
from stripe_double.resources.checkout_rules import HOSTED, check_new, expires_at
from stripe_double.resources.checkout_sessions import PLAN
from stripe_double.resources.discounts import Choice, chosen
from stripe_double.resources.intent_parameters import SHIPPING_MODELS
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.payment_methods import TYPES
from stripe_double.resources.setup_intents import new_setup_intent


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/checkout/sessions"""
    params = call.params
    mode = params.get("mode") or _missing("mode")
    check_new(mode, params)
    items = new_items(tx, params) if mode != "setup" else []
    check_mode(mode, items)
    return new_session(tx, params, items, success_url=params.get("success_url") or None)


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
    email = params.get("customer_email") or None
    session_id = tx.new_id("checkout.session")
    currency = _currency(params, items)
    choices = _choices(tx, params, items, customer, currency)
    items = priced(items, [choice.coupon for choice in choices])
    session: JsonObject = {
        **_constants(),
        **(totals(items) if items else _no_amounts()),
        **_place(tx, session_id, params),
        "id": session_id,
        "object": "checkout.session",
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "allowed_payment_method_types": params.get("allowed_payment_method_types") or None,
        "billing_address_collection": params.get("billing_address_collection") or None,
        "cancel_url": params.get("cancel_url") or None,
        "client_reference_id": params.get("client_reference_id") or None,
        "created": tx.now,
        "currency": currency,
        "customer": None if customer is None else customer["id"],
        "customer_creation": _customer_creation(mode, customer, params),
        "customer_details": _details(customer, email),
        "customer_email": email,
        "discounts": [shown_discount(choice) for choice in choices],
        "expires_at": expires_at(tx.now, params),
        "integration_identifier": params.get("integration_identifier") or None,
        "invoice_creation": invoice_creation(mode, params),
        "locale": params.get("locale") or None,
        "metadata": metadata.given(params),
        "mode": mode,
        "payment_link": payment_link,
        "payment_method_collection": params.get("payment_method_collection") or "always",
        "payment_method_types": params.get("allowed_payment_method_types") or ["card"],
        "payment_status": "no_payment_required" if mode == "setup" else "unpaid",
        "setup_intent": _setup_intent(tx, params, customer) if mode == "setup" else None,
        "status": "open",
        "submit_type": params.get("submit_type") or None,
        "success_url": success_url,
    }
    tx.keep(
        PLAN,
        {
            "id": session_id,
            "items": items,
            "customer_update": params.get("customer_update") or {},
            "subscription_data": params.get("subscription_data") or {},
            "payment_intent_data": params.get("payment_intent_data") or {},
        },
    )
    return tx.put(session)


def _place(tx: Transaction, session_id: str, params: JsonObject) -> JsonObject:
    """Where the buyer pays: on the hosted page, or in the merchant's own, by client secret."""
    ui_mode = params.get("ui_mode") or HOSTED
    if ui_mode == HOSTED:
        url = f"{tx.options.page_base_url}/c/pay/{session_id}"
        return {"client_secret": None, "ui_mode": ui_mode, "url": url}
    return {
        "client_secret": f"{session_id}_{tx.new_id('client_secret')}",
        "redirect_on_completion": params.get("redirect_on_completion") or "always",
        "return_url": params.get("return_url") or None,
        "ui_mode": ui_mode,
        "url": None,
    }


def _currency(params: JsonObject, items: list[Record]) -> str:
    given = str(params.get("currency") or "").lower()
    currency = str(items[0]["currency"]) if items else given
    if given and given != currency:
        raise parameter_invalid("currency", f"The line items' prices are in {currency}.")
    return currency


def _choices(
    tx: Transaction,
    params: JsonObject,
    items: list[Record],
    customer: Record | None,
    currency: str,
) -> list[Choice]:
    given = params.get("discounts")
    if given and len(given) > 1:
        raise parameter_invalid("discounts", "A Checkout Session takes at most one discount.")
    return chosen(
        tx,
        given,
        customer=None if customer is None else customer["id"],
        amount=sum(item["amount_subtotal"] for item in items),
        currency=currency,
    )


def shown_discount(choice: Choice) -> JsonObject:
    """A discount as the session shows it."""
    code = choice.promotion_code
    return {
        "coupon": None if code else choice.coupon["id"],
        "promotion_code": code["id"] if code else None,
    }


def _setup_intent(tx: Transaction, params: JsonObject, customer: Record | None) -> str:
    data = params.get("setup_intent_data") or {}
    values = {
        "description": data.get("description") or None,
        "metadata": metadata.given(data),
        "payment_method_types": params.get("allowed_payment_method_types") or ["card"],
    }
    owner = None if customer is None else str(customer["id"])
    return str(new_setup_intent(tx, customer=owner, values=values)["id"])


def _no_amounts() -> JsonObject:
    return {"amount_subtotal": None, "amount_total": None, "total_details": None}


def invoice_creation(mode: str, params: JsonObject) -> JsonObject | None:
    """Whether a payment comes with an invoice, and what stands on it. Links have the same."""
    if mode != "payment":
        return None
    given = params.get("invoice_creation") or {}
    data = given.get("invoice_data") or {}
    return {
        "enabled": bool(given.get("enabled")),
        "invoice_data": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": data.get("description") or None,
            "footer": data.get("footer") or None,
            "issuer": None,
            "metadata": metadata.given(data),
            "rendering_options": None,
        },
    }


def _constants() -> JsonObject:
    return {
        "adaptive_pricing": None,
        "after_expiration": None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "branding_settings": None,
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
        "invoice": None,
        "livemode": False,
        "managed_payments": None,
        "optional_items": None,
        "origin_context": None,
        "payment_intent": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "subscription": None,
        "wallet_options": None,
    }


def _missing(name: str) -> str:
    raise parameter_missing(name)


def _customer(tx: Transaction, params: JsonObject) -> Record | None:
    customer_id = params.get("customer")
    return tx.get("customer", customer_id, param="customer") if customer_id else None


def _customer_creation(mode: str, customer: Record | None, params: JsonObject) -> str | None:
    if customer is not None:
        return None
    if mode == "subscription":
        return "always"
    return params.get("customer_creation") or ("if_required" if mode == "payment" else None)


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
    "payment_intent_data.receipt_email currency customer_creation customer_update.address "
    "customer_update.name customer_update.shipping discounts[].coupon discounts[].promotion_code "
    "invoice_creation.enabled invoice_creation.invoice_data.description "
    "invoice_creation.invoice_data.footer invoice_creation.invoice_data.metadata.* "
    "line_items[].adjustable_quantity.enabled line_items[].adjustable_quantity.maximum "
    "line_items[].adjustable_quantity.minimum line_items[].metadata.* redirect_on_completion "
    "return_url setup_intent_data.description setup_intent_data.metadata.* submit_type "
    "subscription_data.trial_end "
    "subscription_data.trial_settings.end_behavior.missing_payment_method "
) + " ".join(
    [
        *(f"line_items[].price_data.{name}" for name in PRICE_DATA.split()),
        *(f"payment_intent_data.{name}" for name in SHIPPING_MODELS.split()),
    ]
)
_NO = frozenset({False})
_ONLY = {
    "customer_update.address": frozenset({"never"}),
    "customer_update.shipping": frozenset({"never"}),
    "allowed_payment_method_types[]": TYPES,
    "automatic_tax.enabled": _NO,
    "billing_address_collection": frozenset({"auto"}),
    "tax_id_collection.enabled": _NO,
    "phone_number_collection.enabled": _NO,
    "subscription_data.billing_mode.type": frozenset({"flexible"}),
}

OPERATIONS = (
    operation("checkout.sessions.create", "POST /v1/checkout/sessions", create, _MODELS, _ONLY),
)
