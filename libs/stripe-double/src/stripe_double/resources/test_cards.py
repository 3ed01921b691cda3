"""Stripe's test cards: what each shows, and what its bank does."""

from __future__ import annotations

from dataclasses import dataclass

from stripe_double.engine.errors import invalid_request
from stripe_double.engine.records import JsonObject


@dataclass(frozen=True, slots=True)
class Card:
    """A test card. Without anything else said its bank pays every charge."""

    number: str
    brand: str
    #: Why the bank refuses every charge; None: it pays.
    decline_code: str | None = None
    #: False: the bank refuses the card already when it is attached to a customer or set up.
    attaches: bool = True
    #: `never`, `unless_set_up` (only until it was set up for off-session use) or `always`.
    authentication: str = "never"
    #: What becomes of a refund: `succeeded`, `pending` (succeeds later) or `failed` (later).
    refunds: str = "succeeded"
    #: The reason of the dispute that every charge on this card gets.
    dispute_reason: str | None = None
    #: The dispute begins as an inquiry, which takes no money.
    inquiry: bool = False
    #: The type of the early fraud warning that every charge on this card gets.
    fraud_type: str | None = None
    #: Money from this card is available at once instead of after two days.
    available_at_once: bool = False
    funding: str = "credit"

    @property
    def behaviour(self) -> JsonObject:
        """What the bank does, as it is stored beside a payment method made from this card."""
        return {
            "attaches": self.attaches,
            "authentication": self.authentication,
            "available_at_once": self.available_at_once,
            "decline_code": self.decline_code,
            "dispute_reason": self.dispute_reason,
            "fraud_type": self.fraud_type,
            "inquiry": self.inquiry,
            "refunds": self.refunds,
            "settles_after_seconds": None,
        }


def _refused(number: str, decline_code: str) -> Card:
    return Card(number, "visa", decline_code, attaches=False)


CARDS = {
    card.number: card
    for card in (
        Card("4242424242424242", "visa"),
        Card("4000056655665556", "visa", funding="debit"),
        Card("5555555555554444", "mastercard"),
        Card("5200828282828210", "mastercard", funding="debit"),
        Card("5105105105105100", "mastercard", funding="prepaid"),
        Card("378282246310005", "amex"),
        Card("6011111111111117", "discover"),
        Card("3056930009020004", "diners"),
        Card("3566002020360505", "jcb"),
        Card("6200000000000005", "unionpay"),
        _refused("4000000000000002", "generic_decline"),
        _refused("4000000000009995", "insufficient_funds"),
        _refused("4000000000009987", "lost_card"),
        _refused("4000000000009979", "stolen_card"),
        _refused("4000000000000069", "expired_card"),
        _refused("4000000000000127", "incorrect_cvc"),
        _refused("4000000000000119", "processing_error"),
        _refused("4000000000006975", "card_velocity_exceeded"),
        _refused("4100000000000019", "fraudulent"),
        # Attaching succeeds, every charge fails: how a renewal is refused.
        Card("4000000000000341", "visa", "generic_decline"),
        Card("4000002500003155", "visa", authentication="unless_set_up"),
        Card("4000002760003184", "visa", authentication="always"),
        Card("4000000000003220", "visa", authentication="always"),
        Card("4000000000003055", "visa"),
        Card("4000003800000446", "visa"),  # counts as set up already
        Card("4000008260003178", "visa", "insufficient_funds", authentication="always"),
        Card("4000008400001629", "visa", "generic_decline", authentication="always"),
        Card("4000000000000259", "visa", dispute_reason="fraudulent"),
        Card("4000000000002685", "visa", dispute_reason="product_not_received"),
        Card("4000000000001976", "visa", dispute_reason="fraudulent", inquiry=True),
        Card("4000000000005423", "visa", fraud_type="fraudulent_card_application"),
        Card("4000000000000077", "visa", available_at_once=True),
        Card("4000000000007726", "visa", refunds="pending"),
        Card("4000000000005126", "visa", refunds="failed"),
    )
}

# What follows `pm_card_` or `tok_` in Stripe's test ids -> the card's number.
_NAMED = {
    "visa": "4242424242424242",
    "visa_debit": "4000056655665556",
    "mastercard": "5555555555554444",
    "mastercard_debit": "5200828282828210",
    "mastercard_prepaid": "5105105105105100",
    "amex": "378282246310005",
    "discover": "6011111111111117",
    "diners": "3056930009020004",
    "jcb": "3566002020360505",
    "unionpay": "6200000000000005",
    "us": "4242424242424242",
    "chargeDeclined": "4000000000000002",
    "chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeDeclinedLostCard": "4000000000009987",
    "chargeDeclinedStolenCard": "4000000000009979",
    "chargeDeclinedExpiredCard": "4000000000000069",
    "chargeDeclinedIncorrectCvc": "4000000000000127",
    "chargeDeclinedProcessingError": "4000000000000119",
    "chargeDeclinedVelocityLimitExceeded": "4000000000006975",
    "chargeDeclinedFraudulent": "4100000000000019",
    "chargeCustomerFail": "4000000000000341",
    "authenticationRequiredOnSetup": "4000002500003155",
    "authenticationRequired": "4000002760003184",
    "authenticationRequiredSetupForOffSession": "4000003800000446",
    "authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
    "threeDSecure2Required": "4000000000003220",
    "threeDSecureOptional": "4000000000003055",
    "threeDSecureRequiredChargeDeclined": "4000008400001629",
    "createDispute": "4000000000000259",
    "createDisputeProductNotReceived": "4000000000002685",
    "createDisputeInquiry": "4000000000001976",
    "createIssuerFraudRecord": "4000000000005423",
    "bypassPending": "4000000000000077",
    "pendingRefund": "4000000000007726",
    "refundFail": "4000000000005126",
}
_PREFIXES = ("pm_card_", "tok_")


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


def card_named(test_id: str) -> Card | None:
    """The card of `pm_card_visa`, `tok_visa_chargeDeclined` and the like; None for other ids."""
    for prefix in _PREFIXES:
        if test_id.startswith(prefix):
            name = test_id.removeprefix(prefix)
            number = _NAMED.get(name) or _NAMED.get(name.removeprefix("visa_"))
            return None if number is None else CARDS[number]
    return None
