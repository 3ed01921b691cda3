"""Checkout Sessions: open until they are completed or expire."""

from __future__ import annotations

from stripe_double.engine.deadlines import Deadline
from stripe_double.engine.errors import invalid_request
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata, setup_intents
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import created_within, equal_to, listing, page

LIFECYCLE = Lifecycle(
    "Checkout Session", {("open", "complete"): "complete", ("open", "expire"): "expired"}
)
PLAN = "checkout.plan"
"""Private collection: what a session will make when it completes, by session id."""


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
    if session["setup_intent"] is not None:
        intent = tx.get("setup_intent", session["setup_intent"])
        setup_intents.cancel_intent(tx, intent, reason="abandoned")
    tx.emit("checkout.session.expired", after)
    return after


def update(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/checkout/sessions/{id}: its metadata."""
    before = tx.get("checkout.session", call.object_id)
    return tx.change(before, metadata=metadata.merged(before, call.params))


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


DEADLINES = {"checkout.session": Deadline(due, _expire_by_clock)}
OPERATIONS = (
    operation(
        "checkout.sessions.list",
        "GET /v1/checkout/sessions",
        list_all,
        "customer customer_details.email payment_intent payment_link status subscription",
    ),
    operation("checkout.sessions.retrieve", "GET /v1/checkout/sessions/{id}", retrieve),
    operation(
        "checkout.sessions.update",
        "POST /v1/checkout/sessions/{id}",
        update,
        "metadata metadata.*",
    ),
    operation("checkout.sessions.expire", "POST /v1/checkout/sessions/{id}/expire", expire),
    operation(
        "checkout.sessions.line_items",
        "GET /v1/checkout/sessions/{id}/line_items",
        list_line_items,
    ),
)
