"""Portal sessions: a short-lived address where one customer manages their billing."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, parameter_invalid, parameter_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import portal_configurations
from stripe_double.resources.links import checked_url
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.subscriptions import TERMINAL

VISITS = "portal.visit"
"""Private collection: the session behind a token of a portal address, and until when it opens."""

UNUSED_SECONDS = 5 * 60
"""An address nobody opened works this long."""
IDLE_SECONDS = 3600
"""An opened one works this long after the last thing done with it."""

_SUBSCRIPTION_FLOWS = ("subscription_cancel", "subscription_update", "subscription_update_confirm")
_FEATURE_OF_FLOW = {
    "customer_update": "customer_update",
    "payment_method_update": "payment_method_update",
    "subscription_cancel": "subscription_cancel",
    "subscription_update": "subscription_update",
    "subscription_update_confirm": "subscription_update",
}


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/billing_portal/sessions"""
    params = call.params
    if not params.get("customer"):
        raise parameter_missing("customer")
    customer = tx.get("customer", params["customer"], param="customer")
    return_url = checked_url(params.get("return_url"), "return_url")
    configuration = _configuration(tx, params)
    flow = _flow(tx, params.get("flow_data"), configuration, customer)
    token = tx.new_id("portal_token")
    session = tx.put(
        {
            "id": tx.new_id("billing_portal.session"),
            "object": "billing_portal.session",
            "after_expiration": None,
            "configuration": configuration["id"],
            "created": tx.now,
            "customer": customer["id"],
            "customer_account": None,
            "flow": flow,
            "livemode": False,
            "locale": params.get("locale") or None,
            "on_behalf_of": None,
            "return_url": return_url or configuration["default_return_url"],
            "url": f"{tx.options.page_base_url}/p/session/{token}",
        }
    )
    tx.keep(VISITS, {"id": token, "session": session["id"], "closes_at": tx.now + UNUSED_SECONDS})
    tx.emit("billing_portal.session.created", session)
    return session


def _configuration(tx: Transaction, params: JsonObject) -> Record:
    given = params.get("configuration")
    if not given:
        return portal_configurations.default_configuration(tx)
    configuration = tx.get(portal_configurations.COLLECTION, given, param="configuration")
    if not configuration["active"]:
        raise invalid_request(
            "The configuration is not active. Provide an active configuration.",
            param="configuration",
        )
    return configuration


def _flow(
    tx: Transaction, given: Record | None, configuration: Record, customer: Record
) -> JsonObject | None:
    if not given:
        return None
    kind = given["type"]
    _check_enabled(kind, configuration)
    flow: JsonObject = {
        "after_completion": _after_completion(given.get("after_completion")),
        "customer_update": {} if kind == "customer_update" else None,
        "subscription_cancel": None,
        "subscription_pause": None,
        "subscription_update": None,
        "subscription_update_confirm": None,
        "type": kind,
    }
    for name in _SUBSCRIPTION_FLOWS:
        if name == kind:
            flow[name] = _about_subscription(tx, kind, given.get(kind), configuration, customer)
        elif given.get(name):
            raise invalid_request(
                f"You cannot pass `flow_data[{name}]` when `flow_data[type]` is `{kind}`.",
                param=f"flow_data[{name}]",
            )
    return flow


def _check_enabled(kind: str, configuration: Record) -> None:
    feature = _FEATURE_OF_FLOW[kind]
    if not configuration["features"][feature]["enabled"]:
        raise invalid_request(
            f"This flow requires the feature `{feature}`, which is disabled in the configuration "
            f"{configuration['id']}.",
            param="flow_data[type]",
        )


def _after_completion(given: Record | None) -> JsonObject:
    given = given or {"type": "portal_homepage"}
    kind, name = given["type"], "flow_data[after_completion]"
    redirect = given.get("redirect") or {}
    if kind == "redirect":
        if not redirect:
            raise parameter_missing(f"{name}[redirect]")
        checked_url(redirect["return_url"], f"{name}[redirect][return_url]")
    message = (given.get("hosted_confirmation") or {}).get("custom_message") or None
    return {
        "hosted_confirmation": {"custom_message": message}
        if kind == "hosted_confirmation"
        else None,
        "redirect": {"return_url": redirect["return_url"]} if kind == "redirect" else None,
        "type": kind,
    }


def _about_subscription(
    tx: Transaction, kind: str, given: Record | None, configuration: Record, customer: Record
) -> JsonObject:
    name = f"flow_data[{kind}]"
    if not given:
        raise parameter_missing(name)
    subscription = tx.get("subscription", given["subscription"], param=f"{name}[subscription]")
    if subscription["customer"] != customer["id"]:
        raise parameter_invalid(
            f"{name}[subscription]",
            f"The subscription {subscription['id']} does not belong to the customer "
            f"{customer['id']}.",
        )
    if subscription["status"] in TERMINAL:
        raise parameter_invalid(
            f"{name}[subscription]", f"The subscription {subscription['id']} has ended."
        )
    about: JsonObject = {"subscription": subscription["id"]}
    if kind == "subscription_cancel":
        if subscription["cancel_at"] is not None:
            raise parameter_invalid(
                f"{name}[subscription]",
                f"The subscription {subscription['id']} is already set to be canceled.",
            )
        about["retention"] = None
    elif kind == "subscription_update_confirm":
        about["discounts"] = None
        about["items"] = [_confirmed_item(tx, given["items"], configuration, subscription)]
    return about


def _confirmed_item(
    tx: Transaction, given: list[Record], configuration: Record, subscription: Record
) -> JsonObject:
    name = "flow_data[subscription_update_confirm][items]"
    items = subscription["items"]["data"]
    if len(given) != 1 or len(items) != 1:
        raise parameter_invalid(
            name, "Exactly one item may be updated, of a subscription with one item."
        )
    wanted, current = given[0], items[0]
    if wanted["id"] != current["id"]:
        raise parameter_invalid(
            f"{name}[0][id]", f"No such subscription item: '{wanted['id']}'", "resource_missing"
        )
    price = wanted.get("price") or current["price"]["id"]
    offered = portal_configurations.offered_prices(tx, configuration, subscription["currency"])
    if price != current["price"]["id"] and price not in {p["id"] for p in offered}:
        tx.get("price", price, param=f"{name}[0][price]")
        raise parameter_invalid(
            f"{name}[0][price]",
            "The price must be an active recurring price that the configuration's "
            "`features[subscription_update][products]` includes.",
        )
    quantity = wanted.get("quantity", current["quantity"])
    if quantity < 1:
        raise parameter_invalid(f"{name}[0][quantity]", "The quantity must be at least 1.")
    return {"id": current["id"], "price": price, "quantity": quantity}


_FLOW = (
    "type after_completion.type after_completion.hosted_confirmation.custom_message "
    "after_completion.redirect.return_url subscription_cancel.subscription "
    "subscription_update.subscription subscription_update_confirm.subscription "
    "subscription_update_confirm.items[].id subscription_update_confirm.items[].price "
    "subscription_update_confirm.items[].quantity"
)
OPERATIONS = (
    operation(
        "billing_portal.sessions.create",
        "POST /v1/billing_portal/sessions",
        create,
        "customer configuration return_url locale "
        + " ".join(f"flow_data.{name}" for name in _FLOW.split()),
        {"flow_data.type": frozenset(_FEATURE_OF_FLOW)},
    ),
)
