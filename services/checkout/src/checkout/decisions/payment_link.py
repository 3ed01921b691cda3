"""A payment link: an address at which whoever has it pays for fixed items, once.

Items that are named on the spot are sent inside the link's own request, so their prices are frozen
with it and made under its key: a crash leaves no price without a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from billing_common.domain.canonical_json import canonical_json
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import Operation, OperationEvent, OperationStatus
from billing_common.domain.outbox_job import DEACTIVATE_PAYMENT_LINK
from billing_common.domain.payment_link import (
    COMPLETED_SESSIONS_MAX,
    PaymentLink,
    PaymentLinkStatus,
)
from billing_common.domain.provider_objects import ProviderPaymentLink
from checkout.decisions.answers import Answer
from checkout.decisions.finalisation import Binding, CleanUp, Close
from checkout.decisions.return_urls import absolute_url
from checkout.decisions.situation import Admitted, Refused, Situation

SCHEMA_VERSION: Final = "stripe_payment_link_create_params_v1"
HTTP_STATUS: Final = 200


class OneTimePrice(Protocol):
    """What a product of the catalogue costs."""

    @property
    def provider_price_id(self) -> str:
        """At the provider."""
        ...

    @property
    def currency(self) -> str:
        """Lower-case ISO 4217."""
        ...


@dataclass(frozen=True, slots=True)
class Catalogued:
    """A product of the catalogue. `price` None: it is not on sale."""

    price: OneTimePrice | None
    quantity: int


@dataclass(frozen=True, slots=True)
class Named:
    """Something named on the spot; `amount_minor` is the price of one piece."""

    name: str
    amount_minor: int
    currency: str
    quantity: int


class LinkRequest(Protocol):
    """Where the payer goes afterwards."""

    @property
    def success_path(self) -> str:
        """A path on our own site."""
        ...


def decide_payment_link(
    situation: Situation[LinkRequest, Sequence[Catalogued | Named]],
) -> Refused | Admitted:
    """Total, but for ReturnPathInvalid. Only one-time prices in the deployment's own currency."""
    lines: list[dict[str, Any]] = []
    for item in situation.gathered:
        line = _line(item, situation.currency)
        if isinstance(line, FailureCode):
            return Refused(line)
        lines.append(line)
    metadata = situation.names.metadata()
    success_url = absolute_url(situation.public_url, situation.payload.success_path)
    return Admitted(
        {
            "line_items": lines,
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
            "invoice_creation": {"enabled": True, "invoice_data": {"metadata": metadata}},
            "customer_creation": "always",
            "restrictions": {"completed_sessions": {"limit": COMPLETED_SESSIONS_MAX}},
            "after_completion": {"type": "redirect", "redirect": {"url": success_url}},
        }
    )


def _line(item: Catalogued | Named, currency: str) -> dict[str, Any] | FailureCode:
    if isinstance(item, Catalogued):
        if item.price is None:
            return FailureCode.PAYMENT_LINK_PRODUCT_NOT_FOUND
        if item.price.currency != currency:
            return FailureCode.CHECKOUT_CONFIGURATION_INVALID
        return {"price": item.price.provider_price_id, "quantity": item.quantity}
    if item.currency != currency:
        return FailureCode.CHECKOUT_CONFIGURATION_INVALID
    return {
        "price_data": {
            "currency": item.currency,
            "product_data": {"name": item.name},
            "unit_amount": item.amount_minor,
        },
        "quantity": item.quantity,
    }


def bind_payment_link(binding: Binding[ProviderPaymentLink]) -> Close:
    """The row is written before the address leaves."""
    operation, found = binding.operation, binding.found
    return Close(
        event=OperationEvent.SESSION_BOUND,
        failure_code=None,
        provider_object_id=found.id,
        answer=link_answer(operation, found),
        clean_ups=(),
        payment_link=PaymentLink(
            id=None,
            billable_entity_id=operation.billable_entity_id,
            provider=operation.provider,
            provider_payment_link_id=found.id,
            operation_key=operation.operation_key,
            idempotency_row_id=operation.id,
            status=PaymentLinkStatus.ACTIVE if found.is_active else PaymentLinkStatus.INACTIVE,
            url=found.url,
        ),
    )


def link_answer(operation: Operation, found: ProviderPaymentLink) -> Answer:
    """The stored answer of making or withdrawing a link. Provider ids stay inside."""
    body = canonical_json(
        {
            "billableEntityId": str(operation.billable_entity_id),
            "operationKey": operation.operation_key,
            "paymentLink": {"url": found.url, "active": found.is_active},
        }
    )
    return Answer(HTTP_STATUS, body, OperationStatus.SUCCEEDED.value)


def withdrawals(found: ProviderPaymentLink) -> tuple[CleanUp, ...]:
    """What makes a link that is not bound payable by nobody."""
    return (CleanUp(DEACTIVATE_PAYMENT_LINK, found.id),) if found.is_active else ()
