"""The life of a payment link: a row of billing_payment_links.

A link is payable by whoever has its address, so the address leaves only once the row is bound to
exactly one link at the provider, and one completed payment closes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from billing_common.domain.lifecycle import Lifecycle, lifecycle

# How often a link can be paid: the provider counts, and closes it.
COMPLETED_SESSIONS_MAX: Final = 1


class PaymentLinkStatus(StrEnum):
    """Only `active` can be paid."""

    ACTIVE = "active"
    COMPLETED = "completed"
    INACTIVE = "inactive"


class PaymentLinkEvent(StrEnum):
    """What can happen to a link."""

    COMPLETED = "completed"  # the provider says that it was paid
    DEACTIVATED = "deactivated"  # it was withdrawn before anybody paid


PAYMENT_LINK: Final[Lifecycle[PaymentLinkStatus, PaymentLinkEvent]] = lifecycle(
    name="payment_link",
    initial={PaymentLinkStatus.ACTIVE, PaymentLinkStatus.INACTIVE},
    transitions={
        (PaymentLinkStatus.ACTIVE, PaymentLinkEvent.COMPLETED): PaymentLinkStatus.COMPLETED,
        (PaymentLinkStatus.ACTIVE, PaymentLinkEvent.DEACTIVATED): PaymentLinkStatus.INACTIVE,
        # Paid in the moment in which it was withdrawn: the payment is a fact.
        (PaymentLinkStatus.INACTIVE, PaymentLinkEvent.COMPLETED): PaymentLinkStatus.COMPLETED,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLink:
    """One row of billing_payment_links. `id` is None until it is stored."""

    id: int | None
    billable_entity_id: int
    provider: str
    provider_payment_link_id: str
    operation_key: str
    idempotency_row_id: int | None
    status: PaymentLinkStatus
    url: str
