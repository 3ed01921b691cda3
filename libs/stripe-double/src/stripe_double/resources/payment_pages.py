"""Two paths that Stripe does not document: its own CLI completes a session with them."""

from __future__ import annotations

from stripe_double.engine.errors import ApiError, invalid_request, parameter_missing
from stripe_double.engine.records import JsonObject
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.checkout_completion import Buyer, pay_session
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.payment_methods import named
from stripe_double.resources.test_accounts import Account
from stripe_double.resources.test_cards import Card


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/payment_pages/{cs}: the session itself; its `id` is the page's id."""
    return dict(tx.get("checkout.session", call.object_id))


def confirm(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """POST /v1/payment_pages/{cs}/confirm with `payment_method` and `expected_amount`."""
    session, params = tx.get("checkout.session", call.object_id), call.params
    if not params.get("payment_method"):
        raise parameter_missing("payment_method")
    expected = params.get("expected_amount", session["amount_total"])
    if expected != session["amount_total"]:
        raise invalid_request(
            f"The expected amount {expected} is not the session's {session['amount_total']}.",
            code="checkout_amount_mismatch",
            param="expected_amount",
        )
    paying = named(tx, params["payment_method"], param="payment_method")
    if isinstance(paying, (Card, Account)):
        return pay_session(tx, session, Buyer(card=paying))
    email = paying["billing_details"]["email"]
    return pay_session(tx, session, Buyer(method=paying, email=email))


OPERATIONS = (
    operation("payment_pages.retrieve", "GET /v1/payment_pages/{id}", retrieve),
    operation(
        "payment_pages.confirm",
        "POST /v1/payment_pages/{id}/confirm",
        confirm,
        "payment_method expected_amount",
    ),
)
