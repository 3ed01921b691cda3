"""Payment methods: test cards, by number or by Stripe's test tokens."""

from __future__ import annotations

from dataclasses import dataclass

from stripe_double.engine.errors import invalid_request, parameter_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import equal_to, page


@dataclass(frozen=True, slots=True)
class Card:
    """A test card: what it shows, and why the bank refuses it (None: the bank pays)."""

    number: str
    brand: str
    decline_code: str | None = None


CARDS = {
    card.number: card
    for card in (
        Card("4242424242424242", "visa"),
        Card("5555555555554444", "mastercard"),
        Card("4000000000000002", "visa", "generic_decline"),
        Card("4000000000009995", "visa", "insufficient_funds"),
        Card("4000000000000069", "visa", "expired_card"),
        Card("4000000000000341", "visa", "generic_decline"),
    )
}
_TEST_NAMES = {
    "visa": "4242424242424242",
    "mastercard": "5555555555554444",
    "chargeDeclined": "4000000000000002",
    "visa_chargeDeclined": "4000000000000002",
    "chargeDeclinedInsufficientFunds": "4000000000009995",
    "visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeDeclinedExpiredCard": "4000000000000069",
    "visa_chargeDeclinedExpiredCard": "4000000000000069",
    "chargeCustomerFail": "4000000000000341",
    "visa_chargeCustomerFail": "4000000000000341",
}
_BANK = "bank_behaviour"
_BILLING = "email name phone"


def card_of(number: str, *, param: str = "card[number]") -> Card:
    """The test card with this number (blanks allowed), or ApiError 402."""
    card = CARDS.get(number.replace(" ", ""))
    if card is None:
        raise invalid_request(
            f"Not a test card that stripe-double knows. It knows: {', '.join(CARDS)}.",
            code="incorrect_number",
            param=param,
            status=402,
        )
    return card


def new_payment_method(
    tx: Transaction, card: Card, *, customer: str | None, billing: Record
) -> JsonObject:
    """Create a card payment method; announce its attachment when it has a customer."""
    method = tx.put(
        {
            "id": tx.new_id("payment_method"),
            "object": "payment_method",
            "allow_redisplay": "limited" if customer else "unspecified",
            "billing_details": {
                "address": None,
                "email": billing.get("email") or None,
                "name": billing.get("name") or None,
                "phone": billing.get("phone") or None,
                "tax_id": None,
            },
            "card": {
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
                "funding": "credit",
                "generated_from": None,
                "last4": card.number[-4:],
                "networks": {"available": [card.brand], "preferred": None},
                "regulated_status": "unregulated",
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
            "created": tx.now,
            "customer": customer,
            "customer_account": None,
            "livemode": False,
            "metadata": {},
            "type": "card",
        }
    )
    set_bank_behaviour(tx, method["id"], card.decline_code)
    if customer is not None:
        tx.emit("payment_method.attached", method)
    return method


def set_bank_behaviour(tx: Transaction, method_id: str, decline_code: str | None) -> None:
    """From now on the bank refuses this card with `decline_code`, or pays (None)."""
    tx.keep(_BANK, {"id": method_id, "decline_code": decline_code})


def decline_code_of(tx: Transaction, method_id: str) -> str | None:
    """Why the bank would refuse a charge now; None when it would pay."""
    kept = tx.store.find(_BANK, method_id)
    return None if kept is None else kept["decline_code"]


def named(tx: Transaction, name: str, *, param: str) -> Card | Record:
    """`pm_card_…` as its card, or the stored payment method."""
    card = _TEST_NAMES.get(name.removeprefix("pm_card_")) if name.startswith("pm_card_") else None
    return CARDS[card] if card is not None else tx.get("payment_method", name, param=param)


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/payment_methods"""
    params = call.params
    if not params.get("type"):
        raise parameter_missing("type")
    card = _card_from(params.get("card") or {})
    method = new_payment_method(
        tx, card, customer=None, billing=params.get("billing_details") or {}
    )
    return tx.put({**method, "metadata": metadata.given(params)})


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/payment_methods/{id}"""
    return dict(tx.get("payment_method", call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/payment_methods"""
    params = call.params
    where = equal_to(params, "customer", "type")
    return page(tx.newest("payment_method", where=where), params, url="/v1/payment_methods")


def _card_from(given: JsonObject) -> Card:
    if given.get("number"):
        return card_of(given["number"])
    token = str(given.get("token") or "")
    number = _TEST_NAMES.get(token.removeprefix("tok_"))
    if number is None:
        raise invalid_request(
            f"No such token: '{token}'", code="resource_missing", param="card[token]"
        )
    return CARDS[number]


OPERATIONS = (
    operation(
        "payment_methods.create",
        "POST /v1/payment_methods",
        create,
        "type metadata.* card.token card.number card.exp_month card.exp_year card.cvc "
        + " ".join(f"billing_details.{name}" for name in _BILLING.split()),
        {"type": frozenset({"card"})},
    ),
    operation("payment_methods.list", "GET /v1/payment_methods", list_all, "customer type"),
    operation("payment_methods.retrieve", "GET /v1/payment_methods/{id}", retrieve),
)
