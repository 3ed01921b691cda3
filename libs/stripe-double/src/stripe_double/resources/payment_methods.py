"""Payment methods: test cards and test bank accounts, attached to at most one customer."""

from __future__ import annotations

from stripe_double.engine.errors import (
    card_declined,
    invalid_request,
    parameter_missing,
    state_conflict,
)
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import banks, metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.test_accounts import (
    ROUTING_NUMBER,
    Account,
    account_named,
    account_of,
)
from stripe_double.resources.test_cards import CARDS as CARDS
from stripe_double.resources.test_cards import Card as Card
from stripe_double.resources.test_cards import card_named
from stripe_double.resources.test_cards import card_of as card_of
from stripe_double.wire.lists import equal_to, page

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_BILLING = ("email", "name", "phone")

_SAID = {
    "card": ("exp_month", "exp_year"),
    "us_bank_account": ("account_holder_type", "account_type", "routing_number"),
}


def new_payment_method(
    tx: Transaction,
    source: Card | Account,
    *,
    customer: str | None,
    billing: Record,
    method_id: str | None = None,
    announced: bool = True,
) -> JsonObject:
    """Create a payment method; announce its attachment when it has a customer."""
    kind = "card" if isinstance(source, Card) else source.kind
    method_id = method_id or tx.new_id("payment_method")
    details = _card(tx, source) if isinstance(source, Card) else _account(tx, source)
    method = _put(tx, kind, details, customer=customer, billing=billing, method_id=method_id)
    banks.open_account(tx, method["id"], source)
    if customer is not None and announced:
        tx.emit("payment_method.attached", method)
    return method


def _put(
    tx: Transaction,
    kind: str,
    details: JsonObject,
    *,
    customer: str | None,
    billing: Record,
    method_id: str | None = None,
) -> JsonObject:
    return tx.put(
        {
            "id": method_id or tx.new_id("payment_method"),
            "object": "payment_method",
            "allow_redisplay": "limited" if customer else "unspecified",
            "billing_details": billing_details(billing),
            kind: details,
            "created": tx.now,
            "customer": customer,
            "customer_account": None,
            "livemode": False,
            "metadata": {},
            "type": kind,
        }
    )


def billing_details(given: Record) -> JsonObject:
    """Stripe's `billing_details`, with everything that was not given as null."""
    address = given.get("address") or None
    return {
        "address": address and {name: address.get(name) or None for name in _ADDRESS},
        **{name: given.get(name) or None for name in _BILLING},
        "tax_id": None,
    }


def _card(tx: Transaction, card: Card) -> JsonObject:
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "US",
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": 2040,
        "fingerprint": tx.new_id("fingerprint"),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _account(tx: Transaction, account: Account) -> JsonObject:
    fingerprint, last4 = tx.new_id("fingerprint"), account.number[-4:]
    if account.kind == "sepa_debit":
        return {
            "bank_code": account.number[4:9],
            "branch_code": "",
            "country": account.number[:2],
            "fingerprint": fingerprint,
            "generated_from": {"charge": None, "setup_attempt": None},
            "last4": last4,
        }
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "fingerprint": fingerprint,
        "last4": last4,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": ROUTING_NUMBER,
        "status_details": {},
    }


def set_bank_behaviour(tx: Transaction, method_id: str, decline_code: str | None) -> None:
    """From now on the bank refuses this payment method with `decline_code`, or pays (None)."""
    banks.change(tx, method_id, decline_code=decline_code)


def decline_code_of(tx: Transaction, method_id: str) -> str | None:
    """Why the bank would refuse a charge now; None when it would pay, or only say so later."""
    bank = banks.behaviour_of(tx, method_id)
    code: str | None = bank["decline_code"]
    return code if bank["settles_after_seconds"] is None else None


def named(tx: Transaction, name: str, *, param: str) -> Card | Account | Record:
    """The test card or account of `pm_card_…`, `pm_usBankAccount_…`; or the stored method."""
    test = card_named(name) if name.startswith("pm_card_") else account_named(name)
    return test or tx.get("payment_method", name, param=param)


def resolved(tx: Transaction, name: str, *, param: str = "payment_method") -> Record:
    """The stored payment method; a test id makes a new one each time, as at Stripe."""
    found = named(tx, name, param=param)
    if isinstance(found, (Card, Account)):
        return new_payment_method(tx, found, customer=None, billing={})
    return found


def attached(tx: Transaction, method: Record, customer_id: str) -> Record:
    """The payment method on this customer; announced when that is new.

    ApiError 402 when its bank refuses; 400 when it is another customer's, or may not be used again.
    """
    if method["customer"] == customer_id:
        return method
    if method["customer"] is not None:
        raise state_conflict(
            "The payment method you provided has already been attached to a customer."
        )
    if method["type"] == "customer_balance":
        raise state_conflict("A payment method of type customer_balance cannot be attached.")
    check_usable(tx, method)
    behaviour = banks.behaviour_of(tx, method["id"])
    if not behaviour["attaches"] and behaviour["decline_code"]:
        raise card_declined(behaviour["decline_code"])
    after = tx.put({**method, "customer": customer_id})
    tx.emit("payment_method.attached", after)
    return after


def check_usable(tx: Transaction, method: Record) -> None:
    """ApiError 400 when it was used without a customer before, or detached."""
    if banks.behaviour_of(tx, method["id"])["spent"]:
        raise state_conflict(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer "
            "attachment, shared with a connected account without Customer attachment, or was "
            "detached from a Customer. It may not be used again.",
            code="payment_method_unexpected_state",
        )


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/payment_methods"""
    params = call.params
    method = method_from_data(tx, params)
    values: JsonObject = {}
    if params.get("allow_redisplay"):
        values["allow_redisplay"] = params["allow_redisplay"]
    return tx.put({**method, **values}) if values else dict(method)


def method_from_data(tx: Transaction, data: JsonObject) -> Record:
    """A new payment method from `type` and the member of that name."""
    kind = data.get("type")
    if not kind:
        raise parameter_missing("type")
    billing = data.get("billing_details") or {}
    if kind == "customer_balance":
        return _put(tx, kind, {}, customer=None, billing=billing)
    source = _source(kind, data.get(kind) or {})
    method = new_payment_method(tx, source, customer=None, billing=billing)
    said = _said(kind, data.get(kind) or {})
    given = metadata.given(data)
    if not said and not given:
        return method
    return tx.put({**method, kind: {**method[kind], **said}, "metadata": given})


def _said(kind: str, details: JsonObject) -> JsonObject:
    """What the caller says of a card or an account besides its number."""
    month = details.get("exp_month")
    if kind == "card" and month is not None and not 1 <= month <= 12:
        raise invalid_request(
            "Your card's expiration month is invalid.",
            code="invalid_expiry_month",
            param="card[exp_month]",
            status=402,
        )
    return {name: details[name] for name in _SAID.get(kind, ()) if details.get(name)}


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/payment_methods/{id}"""
    return dict(tx.get("payment_method", call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/payment_methods"""
    where = equal_to(call.params, "customer", "type", "allow_redisplay")
    return page(tx.newest("payment_method", where=where), call.params, url="/v1/payment_methods")


def _source(kind: str, given: JsonObject) -> Card | Account:
    if kind == "sepa_debit":
        return account_of(kind, given.get("iban") or "", param="sepa_debit[iban]")
    if kind == "us_bank_account":
        return account_of(
            kind, given.get("account_number") or "", param="us_bank_account[account_number]"
        )
    if given.get("number"):
        return card_of(given["number"])
    token = str(given.get("token") or "")
    card = card_named(token)
    if card is None:
        raise invalid_request(
            f"No such token: '{token}'", code="resource_missing", param="card[token]"
        )
    return card


BILLING_MODELS = " ".join(
    f"billing_details.{name}" for name in (*_BILLING, *(f"address.{part}" for part in _ADDRESS))
)
TYPES = frozenset({"card", "us_bank_account", "sepa_debit"})
OPERATIONS = (
    operation(
        "payment_methods.create",
        "POST /v1/payment_methods",
        create,
        "type metadata.* card.token card.number card.exp_month card.exp_year card.cvc "
        "allow_redisplay sepa_debit.iban us_bank_account.account_number "
        "us_bank_account.account_holder_type us_bank_account.account_type "
        f"us_bank_account.routing_number {BILLING_MODELS}",
        {"type": TYPES},
    ),
    operation(
        "payment_methods.list",
        "GET /v1/payment_methods",
        list_all,
        "customer type allow_redisplay",
    ),
    operation("payment_methods.retrieve", "GET /v1/payment_methods/{id}", retrieve),
)
