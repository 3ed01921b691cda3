"""POST /api/billing/payment-links: an address at which whoever has it pays, once."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import Response

from api_gateway.decisions.payment_link_requests import (
    Asked,
    NamedItem,
    PaymentLinkRequest,
    Product,
    decide_payment_link_request,
)
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.handlers.write_submission import WriteIdentity
from api_gateway.routes.checkout import ReturnPath
from api_gateway.routes.outcomes import EXAMPLE_OPERATION_KEY, OF_A_WRITE, REPLAYED_HEADER, success
from api_gateway.routes.wire import PUBLIC_PATH, RequestShape, Shape
from api_gateway.routes.writes import WRITE_PARAMETERS, Writes, client_key_of, write_responses
from billing_common.contracts.commands import (
    AdHocItem,
    CreatePaymentLink,
    DeactivatePaymentLink,
    ProductItem,
)
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import Action

AMOUNT_MINOR_MAX: Final = 99_999_999
QUANTITY_MAX: Final = 10_000
ITEMS_MAX: Final = 20

_ENDINGS: Final = (
    FailureCode.CHECKOUT_CONFIGURATION_INVALID,
    FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED,
    FailureCode.CHECKOUT_REPLAY_PROVENANCE_MISMATCH,
    FailureCode.CHECKOUT_PROVIDER_ERROR,
)
CREATE_CODES: Final = (*OF_A_WRITE, FailureCode.PAYMENT_LINK_PRODUCT_NOT_FOUND, *_ENDINGS)
DEACTIVATE_CODES: Final = (*OF_A_WRITE, FailureCode.PAYMENT_LINK_NOT_FOUND, *_ENDINGS)

Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
LinkKey = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", examples=[EXAMPLE_OPERATION_KEY])]


class LineItem(RequestShape):
    """Either a product of the catalogue by its code, or a name and an amount in minor units."""

    product_code: (
        Annotated[str, Field(max_length=120, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] | None
    ) = None
    name: Annotated[str, Field(min_length=1, max_length=160, pattern=r"\S")] | None = None
    amount_minor: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX)] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")] | None = None
    quantity: Quantity = 1


class PaymentLinkBody(RequestShape):
    """`successPath` is the product's own: one leading slash, no host."""

    line_items: Annotated[list[LineItem], Field(min_length=1, max_length=ITEMS_MAX)]
    success_path: ReturnPath


class PaymentLinkShape(Shape):
    """Whoever has `url` can pay there while `active`: once."""

    url: str
    active: bool


class PaymentLinkAnswer(Shape):
    """A payment link; its `operationKey` names it from now on."""

    billable_entity_id: str
    operation_key: str
    payment_link: PaymentLinkShape


def _done(description: str, *, active: bool) -> dict[str, Any]:
    return success(
        PaymentLinkAnswer,
        description,
        {
            "link": {
                "billableEntityId": "42",
                "operationKey": EXAMPLE_OPERATION_KEY,
                "paymentLink": {"url": "https://pay.example/b/1", "active": active},
            }
        },
        headers=REPLAYED_HEADER,
    )


def make_router(writes: Writes, *, currency: str) -> APIRouter:
    """The resource's routes. `currency`: the deployment's."""
    router = APIRouter(prefix=PUBLIC_PATH)

    @router.post(
        "/payment-links",
        response_model=PaymentLinkAnswer,
        responses=write_responses(_done("The link can be paid.", active=True), *CREATE_CODES),
        openapi_extra={"parameters": WRITE_PARAMETERS},
    )
    async def create_payment_link(body: PaymentLinkBody, request: Request) -> Response:
        """Make a link for 1 to 20 items. It can be paid once, by whoever has its address."""
        client_key_of(request)
        wanted = _wanted(body, currency)

        def make_payload(identity: WriteIdentity) -> CreatePaymentLink:
            return CreatePaymentLink(
                client_idempotency_key=identity.client_key,
                request_fingerprint_hash=identity.request_fingerprint_hash,
                normalized_request=identity.normalized,
                items=tuple(_commanded(item) for item in wanted.items),
                success_path=wanted.success_path,
            )

        return await writes.submit(
            request,
            action=Action.PAYMENT_LINK,
            normalize=wanted.normalized,
            make_payload=make_payload,
        )

    @router.post(
        "/payment-links/{operation_key}/deactivate",
        response_model=PaymentLinkAnswer,
        responses=write_responses(
            _done("The link can be paid no more.", active=False), *DEACTIVATE_CODES
        ),
        openapi_extra={"parameters": WRITE_PARAMETERS},
    )
    async def deactivate_payment_link(operation_key: LinkKey, request: Request) -> Response:
        """Withdraw the link that this operation made. What was paid stays paid."""
        client_key_of(request)

        def normalize(billable_entity_id: int) -> dict[str, Any]:
            return {
                "action": Action.PAYMENT_LINK_DEACTIVATION.value,
                "billableEntityId": billable_entity_id,
                "operationKey": operation_key,
            }

        def make_payload(identity: WriteIdentity) -> DeactivatePaymentLink:
            return DeactivatePaymentLink(
                client_idempotency_key=identity.client_key,
                request_fingerprint_hash=identity.request_fingerprint_hash,
                normalized_request=identity.normalized,
                payment_link_operation_key=operation_key,
            )

        return await writes.submit(
            request,
            action=Action.PAYMENT_LINK_DEACTIVATION,
            normalize=normalize,
            make_payload=make_payload,
        )

    return router


def _wanted(body: PaymentLinkBody, currency: str) -> PaymentLinkRequest:
    decided = decide_payment_link_request(
        lines=[
            Asked(
                product_code=line.product_code,
                name=line.name,
                amount_minor=line.amount_minor,
                currency=line.currency,
                quantity=line.quantity,
            )
            for line in body.line_items
        ],
        success_path=body.success_path,
        currency=currency,
    )
    if isinstance(decided, dict):
        raise RequestRefused(FailureCode.VALIDATION_FAILED, field_errors=decided)
    return decided


def _commanded(item: Product | NamedItem) -> ProductItem | AdHocItem:
    if isinstance(item, Product):
        return ProductItem(product_code=item.code, quantity=item.quantity)
    return AdHocItem(
        name=item.name,
        amount_minor=item.amount_minor,
        currency=item.currency,
        quantity=item.quantity,
    )
