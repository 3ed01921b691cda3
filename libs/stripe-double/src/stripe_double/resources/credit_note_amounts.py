"""How much a credit note may be, and where it goes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from stripe_double.engine.errors import invalid_request, state_conflict
from stripe_double.engine.records import Record


@dataclass(frozen=True, slots=True)
class Parts:
    """A credit note's total in minor units, divided: not asked any more, or given back."""

    pre_payment: int
    refund: int = 0
    credit: int = 0
    out_of_band: int = 0

    @property
    def post_payment(self) -> int:
        """What is given back of money that was paid."""
        return self.refund + self.credit + self.out_of_band

    @property
    def total(self) -> int:
        """The whole credit note."""
        return self.pre_payment + self.post_payment

    @property
    def kind(self) -> str:
        """Stripe's `type`."""
        if self.pre_payment and self.post_payment:
            return "mixed"
        return "post_payment" if self.post_payment else "pre_payment"


def creditable(invoice: Record, refunded: int) -> int:
    """What may still be credited; `refunded` is what went back without a credit note."""
    given_back = int(invoice["post_payment_credit_notes_amount"]) + refunded
    return int(invoice["amount_remaining"]) + max(0, int(invoice["amount_paid"]) - given_back)


def divide(
    invoice: Record, total: int, *, refund: int, credit: int, out_of_band: int, refunded: int
) -> Parts:
    """The parts of a credit note of `total`, or ApiError 400.

    It first lowers what the open invoice still asks. The rest must be exactly what is refunded,
    credited to the balance, or given back outside Stripe.
    """
    if total <= 0:
        raise invalid_request(
            "The credit note amount must be greater than 0.",
            param="amount",
            code="parameter_invalid_integer",
        )
    most = creditable(invoice, refunded)
    if total > most:
        raise state_conflict(
            f"The sum of credit amounts cannot exceed the total amount for this invoice ({most})."
        )
    open_amount = int(invoice["amount_remaining"]) if invoice["status"] == "open" else 0
    pre_payment = min(total, open_amount)
    post_payment = total - pre_payment
    if min(refund, credit, out_of_band) < 0:
        raise invalid_request("Amounts cannot be negative.", param="refund_amount")
    if refund + credit + out_of_band != post_payment:
        raise invalid_request(
            "The sum of the refund, customer balance credit and out of band amounts "
            f"({refund + credit + out_of_band}) must equal the post payment amount "
            f"({post_payment}) of the credit note."
        )
    return Parts(pre_payment, refund, credit, out_of_band)
