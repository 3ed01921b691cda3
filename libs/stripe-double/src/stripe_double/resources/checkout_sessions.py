"""Checkout Sessions: open until they are completed or expire. Subscription and payment mode."""

from __future__ import annotations

from stripe_double.engine.deadlines import Deadline
from stripe_double.engine.errors import invalid_request, parameter_missing
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.checkout_items import new_items
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, listing, page

LIFECYCLE = Lifecycle(
    "Checkout Session", {("open", "complete"): "complete", ("open", "expire"): "expired"}
)
PLAN = "checkout.plan"
"""Private collection: what a session will make when it completes, by session id."""

_DATA_BY_MODE = {"subscription": "subscription_data", "payment": "payment_intent_data"}

MIN_LIFE_SECONDS = 30 * 60
MAX_LIFE_SECONDS = 24 * 3600


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/checkout/sessions"""
    params = call.params
    mode = params.get("mode") or _missing("mode")
    success_url = params.get("success_url") or _missing("success_url")
    _check_pairs(mode, params)
    customer = _customer(tx, params)
    items = new_items(tx, mode, params)
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
        "payment_status": "unpaid",
        "status": "open",
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
        "payment_link": None,
        "payment_method_collection": "always",
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "submit_type": None,
        "subscription": None,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "wallet_options": None,
    }


def expire(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/checkout/sessions/{id}/expire"""
    return expire_session(tx, tx.get("checkout.session", call.object_id))


def expire_session(tx: Transaction, session: Record) -> JsonObject:
    """Expire an open session and announce it; any other: ApiError 400."""
    if session["status"] != "open":
        raise invalid_request(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of {session['status']}.",
        )
    status = LIFECYCLE.next(session["status"], "expire")
    after = tx.put({**session, "status": status, "url": None})
    tx.emit("checkout.session.expired", after)
    return after


def due(session: Record) -> int | None:
    """When the clock must expire this session."""
    return session["expires_at"] if session["status"] == "open" else None


def _expire_by_clock(tx: Transaction, session: Record) -> None:
    expire_session(tx, session)


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/checkout/sessions/{id}"""
    return dict(tx.get("checkout.session", call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/checkout/sessions"""
    params = call.params
    where = equal_to(params, "customer", "payment_intent", "subscription", "status", "payment_link")
    found = created_within(tx.newest("checkout.session", where=where), params)
    email = params.get("customer_details", {}).get("email")
    if email is not None:
        found = (s for s in found if (s["customer_details"] or {}).get("email") == email)
    return page(found, params, url="/v1/checkout/sessions")


def list_line_items(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/checkout/sessions/{id}/line_items"""
    session = tx.get("checkout.session", call.object_id)
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return page(items_of(tx, session), call.params, url=url)


def items_of(tx: Transaction, session: Record) -> list[Record]:
    """The session's line items."""
    return list((tx.store.find(PLAN, session["id"]) or {})["items"])


def included_line_items(tx: Transaction, session: Record) -> JsonObject:
    """`session.line_items`, which only `expand` shows."""
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return listing(items_of(tx, session), url=url)


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


_PRICE_DATA = (
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
    "payment_intent_data.description "
) + " ".join(f"line_items[].price_data.{name}" for name in _PRICE_DATA.split())
_NO = frozenset({False})
_ONLY = {
    "mode": frozenset({"subscription", "payment"}),
    "ui_mode": frozenset({"hosted_page"}),
    "allowed_payment_method_types[]": frozenset({"card"}),
    "automatic_tax.enabled": _NO,
    "billing_address_collection": frozenset({"auto"}),
    "payment_method_collection": frozenset({"always"}),
    "tax_id_collection.enabled": _NO,
    "phone_number_collection.enabled": _NO,
    "subscription_data.billing_mode.type": frozenset({"flexible"}),
}

DEADLINES = {"checkout.session": Deadline(due, _expire_by_clock)}
OPERATIONS = (
    operation("checkout.sessions.create", "POST /v1/checkout/sessions", create, _MODELS, _ONLY),
    operation(
        "checkout.sessions.list",
        "GET /v1/checkout/sessions",
        list_all,
        "customer customer_details.email payment_intent payment_link status subscription",
    ),
    operation("checkout.sessions.retrieve", "GET /v1/checkout/sessions/{id}", retrieve),
    operation("checkout.sessions.expire", "POST /v1/checkout/sessions/{id}/expire", expire),
    operation(
        "checkout.sessions.line_items",
        "GET /v1/checkout/sessions/{id}/line_items",
        list_line_items,
    ),
)
