"""Payment Links: an address that anybody may open, each visit of which makes a Checkout Session."""

from __future__ import annotations

from stripe_double.engine.errors import parameter_invalid, parameter_missing, state_conflict
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.checkout_amounts import with_quantity
from stripe_double.resources.checkout_creation import PRICE_DATA, invoice_creation, new_session
from stripe_double.resources.checkout_items import adjustable, check_mode, new_items
from stripe_double.resources.checkout_sessions import expire_session
from stripe_double.resources.links import checked_url
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.payment_methods import TYPES
from stripe_double.wire.lists import equal_to, listing, page

PLAN = "payment_link.plan"
"""Private collection: what a link sells and with what data, by link id."""
TOKENS = "payment_link.token"
"""Private collection: the link behind the last part of its address."""


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/payment_links"""
    params = call.params
    items = new_items(tx, params)
    mode = "subscription" if any(item["price"]["recurring"] for item in items) else "payment"
    check_mode(mode, items)
    _check_data(mode, params)
    currency = items[0]["currency"]
    if str(params.get("currency") or currency).lower() != currency:
        raise parameter_invalid("currency", f"The line items' prices are in {currency}.")
    link_id, token = tx.new_id("payment_link"), tx.new_id("payment_link_token")
    link = tx.put(
        {
            **_constants(),
            "id": link_id,
            "object": "payment_link",
            "active": True,
            "after_completion": _after_completion(params),
            "allow_promotion_codes": params.get("allow_promotion_codes", False),
            "currency": currency,
            "customer_creation": params.get("customer_creation")
            or ("always" if mode == "subscription" else "if_required"),
            "invoice_creation": invoice_creation(mode, params),
            "inactive_message": params.get("inactive_message") or None,
            "metadata": metadata.given(params),
            "payment_intent_data": _payment_intent_data(params),
            "payment_method_collection": params.get("payment_method_collection") or "always",
            "payment_method_types": params.get("payment_method_types") or None,
            "restrictions": _restrictions(params, count=0),
            "submit_type": params.get("submit_type") or "auto",
            "subscription_data": _subscription_data(params),
            "url": f"{tx.options.page_base_url}/b/{token}",
        }
    )
    tx.keep(TOKENS, {"id": token, "payment_link": link_id})
    tx.keep(PLAN, {"id": link_id, "mode": mode, "items": items})
    tx.emit("payment_link.created", link)
    return link


def _constants() -> JsonObject:
    return {
        "application": None,
        "application_fee_amount": None,
        "application_fee_percent": None,
        "automatic_tax": {"enabled": False, "liability": None},
        "billing_address_collection": "auto",
        "consent_collection": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "livemode": False,
        "managed_payments": None,
        "name_collection": None,
        "on_behalf_of": None,
        "optional_items": None,
        "payment_method_options": None,
        "phone_number_collection": {"enabled": False},
        "shipping_address_collection": None,
        "shipping_options": [],
        "tax_id_collection": {"enabled": False, "required": "never"},
        "transfer_data": None,
    }


def _check_data(mode: str, params: JsonObject) -> None:
    for name, right_mode in (
        ("subscription_data", "subscription"),
        ("payment_intent_data", "payment"),
        ("customer_creation", "payment"),
        ("invoice_creation", "payment"),
        ("invoice_creation", "payment"),
    ):
        if params.get(name) and mode != right_mode:
            raise parameter_invalid(
                name, f"You can not pass `{name}` to a payment link in `{mode}` mode."
            )


def _after_completion(params: JsonObject) -> JsonObject:
    given = params.get("after_completion") or {"type": "hosted_confirmation"}
    redirect, kind = given.get("redirect"), given["type"]
    if kind == "redirect":
        if not redirect:
            raise parameter_missing("after_completion[redirect]")
        checked_url(redirect["url"], "after_completion[redirect][url]")
        return {"hosted_confirmation": None, "redirect": {"url": redirect["url"]}, "type": kind}
    message = (given.get("hosted_confirmation") or {}).get("custom_message") or None
    return {"hosted_confirmation": {"custom_message": message}, "redirect": None, "type": kind}


def _restrictions(params: JsonObject, *, count: int) -> JsonObject | None:
    given = params.get("restrictions")
    if not given:
        return None
    limit = given["completed_sessions"]["limit"]
    if limit < 1:
        raise parameter_invalid(
            "restrictions[completed_sessions][limit]", "The limit must be at least 1."
        )
    return {"completed_sessions": {"count": count, "limit": limit}}


def _payment_intent_data(params: JsonObject) -> JsonObject | None:
    given = params.get("payment_intent_data")
    if not given:
        return None
    return {
        "capture_method": None,
        "description": given.get("description") or None,
        "metadata": metadata.given(given),
        "setup_future_usage": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "transfer_group": None,
    }


def _subscription_data(params: JsonObject) -> JsonObject | None:
    given = params.get("subscription_data")
    if not given:
        return None
    return {
        "description": given.get("description") or None,
        "invoice_settings": {"issuer": {"type": "self"}},
        "metadata": metadata.given(given),
        "trial_period_days": given.get("trial_period_days"),
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
    }


_PLAIN = ("customer_creation", "payment_method_collection", "submit_type")
_MADE = {
    "after_completion": _after_completion,
    "payment_intent_data": _payment_intent_data,
    "subscription_data": _subscription_data,
}


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/payment_links/{id}"""
    return dict(tx.get("payment_link", call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/payment_links/{id}"""
    before, params = tx.get("payment_link", call.object_id), call.params
    plan = tx.store.find(PLAN, before["id"]) or {}
    _check_data(plan["mode"], params)
    values = _changed(before, params, plan["mode"])
    if params.get("line_items"):
        _change_items(tx, plan, params["line_items"])
    restrictions = values.get("restrictions", before["restrictions"])
    if params.get("active") and _is_used_up(restrictions):
        raise state_conflict(
            "This payment link has reached its limit of completed sessions; raise the limit "
            "to activate it."
        )
    return tx.change(before, "payment_link.updated", **values)


def _changed(before: Record, params: JsonObject, mode: str) -> JsonObject:
    """The fields that these parameters of an update set."""
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    for name in ("active", "allow_promotion_codes", *_PLAIN):
        if name in params:
            values[name] = params[name]
    for name in ("inactive_message", "payment_method_types"):
        if name in params:
            values[name] = params[name] or None
    for name, make in _MADE.items():
        if name in params:
            values[name] = make(params)
    if "invoice_creation" in params:
        values["invoice_creation"] = invoice_creation(mode, params)
    if "restrictions" in params:
        done = (before["restrictions"] or {}).get("completed_sessions", {}).get("count", 0)
        values["restrictions"] = _restrictions(params, count=done)
    return values


def _change_items(tx: Transaction, plan: Record, given: list[Record]) -> None:
    items = {item["id"]: item for item in plan["items"]}
    for index, change in enumerate(given):
        item = items.get(change["id"])
        if item is None:
            raise parameter_invalid(
                f"line_items[{index}][id]",
                f"No such line item: '{change['id']}'",
                "resource_missing",
            )
        quantity = change.get("quantity", item["quantity"])
        if quantity < 1:
            raise parameter_invalid(f"line_items[{index}][quantity]", "Must be at least 1.")
        items[item["id"]] = {
            **with_quantity(item, quantity),
            "adjustable_quantity": adjustable(change, quantity, f"line_items[{index}]")
            if "adjustable_quantity" in change
            else item["adjustable_quantity"],
        }
    tx.keep(PLAN, {**plan, "items": list(items.values())})


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/payment_links"""
    where = equal_to(call.params, "active")
    return page(tx.newest("payment_link", where=where), call.params, url="/v1/payment_links")


def list_line_items(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/payment_links/{id}/line_items"""
    link = tx.get("payment_link", call.object_id)
    url = f"/v1/payment_links/{link['id']}/line_items"
    return page(items_of(tx, link), call.params, url=url)


def items_of(tx: Transaction, link: Record) -> list[Record]:
    """What the link sells."""
    return list((tx.store.find(PLAN, link["id"]) or {})["items"])


def included_line_items(tx: Transaction, link: Record) -> JsonObject:
    """`payment_link.line_items`, which only `expand` shows."""
    return listing(items_of(tx, link), url=f"/v1/payment_links/{link['id']}/line_items")


def find_link(tx: Transaction, token: str) -> Record | None:
    """The link with this address."""
    kept = tx.store.find(TOKENS, token)
    return None if kept is None else tx.find("payment_link", kept["payment_link"])


def visit(
    tx: Transaction, link: Record, *, email: str | None = None, reference: str | None = None
) -> JsonObject:
    """Somebody opens the link: a session of its own. Inactive: ApiError 400."""
    if not link["active"]:
        raise state_conflict(
            link["inactive_message"] or "This link is no longer active.",
            code="payment_link_inactive",
        )
    plan = tx.store.find(PLAN, link["id"]) or {}
    redirect = link["after_completion"]["redirect"]
    params: JsonObject = {
        "mode": plan["mode"],
        "metadata": dict(link["metadata"]),
        "allow_promotion_codes": link["allow_promotion_codes"],
        "allowed_payment_method_types": link["payment_method_types"],
        "payment_method_collection": link["payment_method_collection"],
        "submit_type": link["submit_type"],
        "customer_email": email,
        "client_reference_id": reference,
    }
    if plan["mode"] == "payment":
        params["customer_creation"] = link["customer_creation"]
        params["invoice_creation"] = link["invoice_creation"]
    for name in ("subscription_data", "payment_intent_data"):
        if link[name]:
            params[name] = {k: v for k, v in link[name].items() if v is not None}
    items: list[Record] = [{**item, "id": tx.new_id("item")} for item in plan["items"]]
    return new_session(
        tx,
        params,
        items,
        payment_link=link["id"],
        success_url=redirect["url"] if redirect else None,
    )


def note_completion(tx: Transaction, session: Record) -> None:
    """A session of a link completed: count it; at the limit the link closes, and with it every
    session of it that is still open, so that nobody pays beyond the limit."""
    link = tx.find("payment_link", session["payment_link"]) if session["payment_link"] else None
    if link is None or not link["restrictions"]:
        return
    completed = link["restrictions"]["completed_sessions"]
    restrictions = {"completed_sessions": {**completed, "count": completed["count"] + 1}}
    active = link["active"] and not _is_used_up(restrictions)
    tx.change(link, "payment_link.updated", restrictions=restrictions, active=active)
    if not active:
        where = {"payment_link": link["id"], "status": "open"}
        for other in list(tx.newest("checkout.session", where=where)):
            expire_session(tx, other)


def _is_used_up(restrictions: Record | None) -> bool:
    completed = (restrictions or {}).get("completed_sessions")
    return completed is not None and completed["count"] >= completed["limit"]


_NO = frozenset({False})
_AFTER = (
    "after_completion.type after_completion.hosted_confirmation.custom_message "
    "after_completion.redirect.url"
)
_MODELS = (
    f"{_AFTER} allow_promotion_codes automatic_tax.enabled billing_address_collection "
    "inactive_message metadata metadata.* payment_method_collection payment_method_types[] "
    "phone_number_collection.enabled restrictions.completed_sessions.limit submit_type "
    "tax_id_collection.enabled line_items[].quantity line_items[].adjustable_quantity.enabled "
    "line_items[].adjustable_quantity.maximum line_items[].adjustable_quantity.minimum "
    "customer_creation invoice_creation.enabled invoice_creation.invoice_data.description "
    "invoice_creation.invoice_data.footer invoice_creation.invoice_data.metadata.* "
    "payment_intent_data.description payment_intent_data.metadata.* "
    "subscription_data.metadata.* subscription_data.trial_period_days"
)
_ONLY = {
    "automatic_tax.enabled": _NO,
    "billing_address_collection": frozenset({"auto"}),
    "payment_method_types[]": TYPES,
    "phone_number_collection.enabled": _NO,
    "tax_id_collection.enabled": _NO,
}
OPERATIONS = (
    operation(
        "payment_links.create",
        "POST /v1/payment_links",
        create,
        f"{_MODELS} currency line_items[].price subscription_data.description "
        + " ".join(f"line_items[].price_data.{name}" for name in PRICE_DATA.split()),
        _ONLY,
    ),
    operation("payment_links.list", "GET /v1/payment_links", list_all, "active"),
    operation("payment_links.retrieve", "GET /v1/payment_links/{id}", retrieve),
    operation(
        "payment_links.update",
        "POST /v1/payment_links/{id}",
        update,
        f"{_MODELS} active line_items[].id",
        _ONLY,
    ),
    operation("payment_links.line_items", "GET /v1/payment_links/{id}/line_items", list_line_items),
)
