"""One-off checkout: one payment for one thing, invoiced. It needs no plan and blocks nobody."""

from __future__ import annotations

from typing import Protocol

from billing_common.domain.failure_codes import FailureCode
from checkout.decisions.checkout_params import session_params
from checkout.decisions.return_urls import ReturnPaths
from checkout.decisions.situation import Admitted, Refused, Situation


class OneOffItem(ReturnPaths, Protocol):
    """What is sold: `quantity` pieces at `amount_minor` (minor units of `currency`) each."""

    @property
    def name(self) -> str:
        """What the customer reads."""
        ...

    @property
    def amount_minor(self) -> int:
        """Of one piece."""
        ...

    @property
    def quantity(self) -> int:
        """How many."""
        ...

    @property
    def currency(self) -> str:
        """Lower-case ISO 4217."""
        ...


def decide_one_off_checkout(
    situation: Situation[OneOffItem, None],
) -> Refused | Admitted:
    """Total, but for ReturnPathInvalid. Only the deployment's own currency is sold."""
    item = situation.payload
    if item.currency != situation.currency:
        return Refused(FailureCode.CHECKOUT_CONFIGURATION_INVALID)
    metadata = situation.names.metadata()
    return Admitted(
        {
            **session_params(situation),
            "mode": "payment",
            "line_items": [
                {
                    "price_data": {
                        "currency": item.currency,
                        "product_data": {"name": item.name},
                        "unit_amount": item.amount_minor,
                    },
                    "quantity": item.quantity,
                }
            ],
            "payment_intent_data": {"metadata": metadata},
            "invoice_creation": {"enabled": True, "invoice_data": {"metadata": metadata}},
        }
    )
