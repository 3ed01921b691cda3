"""Portal configurations: which features a customer finds in the portal, and the default one.

Stripe has no default configuration until somebody saves one in its dashboard. Here one is made when
it is first needed, unless the switch says that nobody saved it: then the caller gets Stripe's 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stripe_double.engine.errors import invalid_request, parameter_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.links import checked_url
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import equal_to, listing, page

COLLECTION = "billing_portal.configuration"
PRODUCTS = "portal.products"
"""Private collection: prices a configuration offers, by its id. `expand` alone shows them."""
_SWITCH = "portal.default_switch"

_REASONS = [
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
]
_OFF: Mapping[str, Mapping[str, Any]] = {
    "customer_update": {"allowed_updates": [], "enabled": False},
    "invoice_history": {"enabled": False},
    "payment_method_update": {"enabled": False, "payment_method_configuration": None},
    "subscription_cancel": {
        "cancellation_reason": {"enabled": False, "feedback_options": None, "options": _REASONS},
        "enabled": False,
        "mode": "at_period_end",
        "proration_behavior": "none",
    },
    "subscription_pause": {
        "duration": {"interval_options": [], "type": "indefinite"},
        "enabled": False,
    },
    "subscription_update": {
        "billing_cycle_anchor": None,
        "default_allowed_updates": [],
        "enabled": False,
        "products": None,
        "proration_behavior": "none",
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": "end_trial",
    },
}
_DEFAULT_FEATURES: JsonObject = {
    "customer_update": {"allowed_updates": ["email", "name"], "enabled": True},
    "invoice_history": {"enabled": True},
    "payment_method_update": {"enabled": True},
    "subscription_cancel": {"enabled": True, "cancellation_reason": {"enabled": True}},
    "subscription_update": {
        "default_allowed_updates": ["price", "quantity"],
        "enabled": True,
        "proration_behavior": "create_prorations",
    },
}


def default_configuration(tx: Transaction) -> JsonObject:
    """The default configuration, made when it is first needed; ApiError 400 when switched off."""
    found = next(tx.newest(COLLECTION, where={"is_default": True}), None)
    switched = tx.store.find(_SWITCH, _SWITCH)
    if switched is not None and not switched["saved"]:
        raise invalid_request(
            "No configuration provided and your test mode default configuration has not been "
            "created. Provide a configuration or create your default by saving your customer "
            "portal settings in test mode at "
            "https://dashboard.stripe.com/test/settings/billing/portal."
        )
    return dict(found) if found is not None else _new(tx, {}, _DEFAULT_FEATURES, is_default=True)


def switch_default(tx: Transaction, *, saved: bool) -> None:
    """Whether somebody saved the portal's default configuration in the dashboard."""
    tx.keep(_SWITCH, {"id": _SWITCH, "saved": saved})


def offered_prices(tx: Transaction, configuration: Record, currency: str) -> list[Record]:
    """Recurring prices a customer may switch to. Without `products`: every active one."""
    kept = tx.store.find(PRODUCTS, configuration["id"])
    prices = [
        price
        for price in tx.store.oldest("price")
        if price["active"] and price["recurring"] and price["currency"] == currency
    ]
    if kept is None:
        return prices
    wanted = {price for product in kept["products"] for price in product["prices"]}
    return [price for price in prices if price["id"] in wanted]


def quantity_bounds(tx: Transaction, configuration: Record, product: str) -> tuple[int, int] | None:
    """Least and greatest quantity a customer may choose of a product; None: not adjustable."""
    if (
        "quantity"
        not in configuration["features"]["subscription_update"]["default_allowed_updates"]
    ):
        return None
    kept = tx.store.find(PRODUCTS, configuration["id"])
    if kept is None:
        return 1, 999_999
    for offered in kept["products"]:
        adjustable = offered["adjustable_quantity"]
        if offered["product"] == product:
            bounds = adjustable["minimum"], adjustable["maximum"] or 999_999
            return bounds if adjustable["enabled"] else None
    return None


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/billing_portal/configurations"""
    return _new(tx, call.params, call.params.get("features") or {}, is_default=False)


def _new(tx: Transaction, params: JsonObject, given: JsonObject, *, is_default: bool) -> JsonObject:
    configuration_id = tx.new_id(COLLECTION)
    profile = params.get("business_profile") or {}
    configuration = tx.put(
        {
            "id": configuration_id,
            "object": COLLECTION,
            "active": True,
            "application": None,
            "business_profile": _profile(profile, {}),
            "created": tx.now,
            "default_return_url": checked_url(
                params.get("default_return_url"), "default_return_url"
            ),
            "features": _features(_OFF, given),
            "is_default": is_default,
            "livemode": False,
            "login_page": {"enabled": False, "url": None},
            "metadata": metadata.given(params),
            "name": params.get("name") or None,
            "updated": tx.now,
        }
    )
    _keep_products(tx, configuration_id, given)
    if configuration["features"]["subscription_update"]["enabled"] and not is_default:
        _check_update(tx, configuration_id, given)
    tx.emit("billing_portal.configuration.created", configuration)
    return configuration


def _profile(given: Record, before: Record) -> JsonObject:
    names = ("headline", "privacy_policy_url", "terms_of_service_url")
    merged = {**before, **given}
    for name in names[1:]:
        checked_url(merged.get(name), f"business_profile[{name}]")
    return {name: merged.get(name) or None for name in names}


def _features(before: Mapping[str, Any], given: Record) -> JsonObject:
    features: JsonObject = {}
    for name, old in before.items():
        new = {**old, **{k: v for k, v in given.get(name, {}).items() if k != "products"}}
        for field, value in new.items():
            if field in {"allowed_updates", "default_allowed_updates"}:
                new[field] = value or []
            elif isinstance(old.get(field), Mapping) and value:
                new[field] = {**old[field], **value}
        features[name] = new
    return features


def _keep_products(tx: Transaction, configuration_id: str, features: Record) -> None:
    given = features.get("subscription_update", {}).get("products")
    if given is None:
        return
    for index, product in enumerate(given or []):
        name = f"features[subscription_update][products][{index}]"
        tx.get("product", product["product"], param=f"{name}[product]")
        for place, price_id in enumerate(product["prices"]):
            price = tx.get("price", price_id, param=f"{name}[prices][{place}]")
            if price["product"] != product["product"] or price["recurring"] is None:
                raise invalid_request(
                    f"The price {price_id} is not a recurring price of {product['product']}.",
                    param=f"{name}[prices][{place}]",
                )
    tx.keep(
        PRODUCTS,
        {
            "id": configuration_id,
            "products": [
                {
                    "adjustable_quantity": {
                        "enabled": False,
                        "maximum": None,
                        "minimum": 1,
                        **product.get("adjustable_quantity", {}),
                    },
                    "prices": product["prices"],
                    "product": product["product"],
                }
                for product in given or []
            ],
        },
    )


def _check_update(tx: Transaction, configuration_id: str, given: Record) -> None:
    name = "features[subscription_update]"
    if "default_allowed_updates" not in given.get("subscription_update", {}):
        raise parameter_missing(f"{name}[default_allowed_updates]")
    if tx.store.find(PRODUCTS, configuration_id) is None:
        raise parameter_missing(f"{name}[products]")


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/billing_portal/configurations/{id}"""
    return dict(tx.get(COLLECTION, call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/billing_portal/configurations/{id}"""
    before, params = tx.get(COLLECTION, call.object_id), call.params
    if before["is_default"] and params.get("active") is False:
        raise invalid_request("The default configuration cannot be deactivated.", param="active")
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if "active" in params:
        values["active"] = params["active"]
    if "name" in params:
        values["name"] = params["name"] or None
    if "default_return_url" in params:
        url = checked_url(params["default_return_url"], "default_return_url")
        values["default_return_url"] = url
    if "business_profile" in params:
        values["business_profile"] = _profile(
            params["business_profile"], before["business_profile"]
        )
    if "features" in params:
        values["features"] = _features(before["features"], params["features"])
        _keep_products(tx, before["id"], params["features"])
    return tx.change(before, "billing_portal.configuration.updated", updated=tx.now, **values)


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/billing_portal/configurations"""
    where = equal_to(call.params, "active", "is_default")
    found = tx.newest(COLLECTION, where=where)
    return page(found, call.params, url="/v1/billing_portal/configurations")


def included_products(tx: Transaction, configuration: Record) -> JsonObject:
    """The products a configuration offers, as a list."""
    kept = tx.store.find(PRODUCTS, configuration["id"])
    return listing([] if kept is None else kept["products"], url="")


_FEATURES = (
    "customer_update.allowed_updates[] customer_update.enabled invoice_history.enabled "
    "payment_method_update.enabled subscription_cancel.enabled subscription_cancel.mode "
    "subscription_cancel.proration_behavior subscription_cancel.cancellation_reason.enabled "
    "subscription_cancel.cancellation_reason.options[] subscription_update.enabled "
    "subscription_update.default_allowed_updates[] subscription_update.proration_behavior "
    "subscription_update.products[].product subscription_update.products[].prices[] "
    "subscription_update.products[].adjustable_quantity.enabled "
    "subscription_update.products[].adjustable_quantity.maximum "
    "subscription_update.products[].adjustable_quantity.minimum subscription_pause.enabled"
)
_MODELS = (
    "business_profile.headline business_profile.privacy_policy_url name default_return_url "
    "business_profile.terms_of_service_url metadata metadata.* login_page.enabled "
) + " ".join(f"features.{name}" for name in _FEATURES.split())
_ONLY = {
    "login_page.enabled": frozenset({False}),
    "features.subscription_pause.enabled": frozenset({False}),
    "features.customer_update.allowed_updates[]": frozenset({"email", "name"}),
    "features.subscription_update.default_allowed_updates[]": frozenset({"price", "quantity"}),
}
OPERATIONS = (
    operation(
        "billing_portal.configurations.create",
        "POST /v1/billing_portal/configurations",
        create,
        _MODELS,
        _ONLY,
    ),
    operation(
        "billing_portal.configurations.list",
        "GET /v1/billing_portal/configurations",
        list_all,
        "active is_default",
    ),
    operation(
        "billing_portal.configurations.retrieve",
        "GET /v1/billing_portal/configurations/{id}",
        retrieve,
    ),
    operation(
        "billing_portal.configurations.update",
        "POST /v1/billing_portal/configurations/{id}",
        update,
        f"active {_MODELS}",
        _ONLY,
    ),
)
