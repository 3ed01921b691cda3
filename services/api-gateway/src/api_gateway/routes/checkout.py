"""POST /api/billing/checkout: one payable session, for a plan or for a single thing."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from api_gateway.decisions.checkout_requests import (
    AskedCheckout,
    CheckoutRequest,
    OneOffCheckoutRequest,
    OneOffItem,
    decide_checkout_request,
)
from api_gateway.decisions.return_paths import PATH_LENGTH_MAX
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.handlers.write_submission import WriteIdentity
from api_gateway.routes.outcomes import EXAMPLE_OPERATION_KEY, OF_A_WRITE, REPLAYED_HEADER, success
from api_gateway.routes.wire import PUBLIC_PATH, RequestShape, Shape, WireTime
from api_gateway.routes.writes import WRITE_PARAMETERS, Writes, client_key_of, write_responses
from billing_common.contracts.commands import (
    Payload,
    StartOneOffCheckout,
    StartSubscriptionCheckout,
)
from billing_common.domain.checkout_session import SessionFlow, SessionStatus
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import Action

ReturnPath = Annotated[str, Field(min_length=1, max_length=PATH_LENGTH_MAX)]
PlanCode = Annotated[str, Field(max_length=120, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]

AMOUNT_MINOR_MAX: Final = 99_999_999
QUANTITY_MAX: Final = 10_000

CHECKOUT_CODES: Final = (
    *OF_A_WRITE,
    FailureCode.CHECKOUT_IN_PROGRESS,
    FailureCode.CHECKOUT_SESSION_OPEN,
    FailureCode.CHECKOUT_COMPLETION_PENDING,
    FailureCode.CHECKOUT_RECOVERY_VERIFICATION_PENDING,
    FailureCode.CHECKOUT_PLAN_NOT_FOUND,
    FailureCode.CHECKOUT_CONFIGURATION_INVALID,
    FailureCode.SUBSCRIPTION_EXISTS_USE_PORTAL,
    FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED,
    FailureCode.CHECKOUT_REPLAY_PROVENANCE_MISMATCH,
    FailureCode.CHECKOUT_PROVIDER_ERROR,
)


class OneOffShape(RequestShape):
    """`quantity` pieces at `amountMinor` each, in the currency that is sold here."""

    name: Annotated[str, Field(min_length=1, max_length=160, pattern=r"\S")]
    amount_minor: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX)]
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] = 1
    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")] | None = None


class CheckoutBody(RequestShape):
    """`planCode` for a subscription (the default), `oneOff` for checkoutType `one_off`. Paths are
    the product's own: one leading slash, no host."""

    checkout_type: Annotated[str, Field(max_length=32)] | None = None
    plan_code: PlanCode | None = None
    one_off: OneOffShape | None = None
    success_path: ReturnPath
    cancel_path: ReturnPath


class CheckoutSessionShape(Shape):
    """Where to pay. `checkoutUrl` is null once it can no longer be paid."""

    status: SessionStatus
    checkout_url: str | None
    expires_at: WireTime | None


class CheckoutAnswer(Shape):
    """A payable session."""

    billable_entity_id: str
    operation_key: str
    checkout_type: Literal[SessionFlow.SUBSCRIPTION, SessionFlow.ONE_OFF]
    checkout_session: CheckoutSessionShape


CHECKOUT_DONE: Final = success(
    CheckoutAnswer,
    "The session is bound to this operation and can be paid at `checkoutUrl`.",
    {
        "open": {
            "billableEntityId": "42",
            "operationKey": EXAMPLE_OPERATION_KEY,
            "checkoutType": "subscription",
            "checkoutSession": {
                "status": "open",
                "checkoutUrl": "https://checkout.example/c/pay/cs_1",
                "expiresAt": "2026-11-23T12:00:00.000Z",
            },
        }
    },
    headers=REPLAYED_HEADER,
)


def make_router(writes: Writes, *, currency: str) -> APIRouter:
    """The resource's routes. `currency` is the deployment's."""
    router = APIRouter(prefix=PUBLIC_PATH)

    @router.post(
        "/checkout",
        response_model=CheckoutAnswer,
        responses=write_responses(CHECKOUT_DONE, *CHECKOUT_CODES),
        openapi_extra={"parameters": WRITE_PARAMETERS},
    )
    async def start_checkout(body: CheckoutBody, request: Request) -> Response:
        """Open one payable session. Repeating the same key repeats the answer."""
        client_key_of(request)
        wanted = _wanted(body, currency)

        def make_payload(identity: WriteIdentity) -> Payload:
            return _payload(wanted, identity)

        return await writes.submit(
            request,
            action=Action.CHECKOUT,
            normalize=wanted.normalized,
            make_payload=make_payload,
        )

    return router


def _wanted(body: CheckoutBody, currency: str) -> CheckoutRequest | OneOffCheckoutRequest:
    item = body.one_off
    decided = decide_checkout_request(
        AskedCheckout(
            checkout_type=body.checkout_type,
            plan_code=body.plan_code,
            one_off=None
            if item is None
            else OneOffItem(
                name=item.name,
                amount_minor=item.amount_minor,
                quantity=item.quantity,
                currency=(item.currency or currency).lower(),
            ),
            success_path=body.success_path,
            cancel_path=body.cancel_path,
        ),
        currency=currency,
    )
    if isinstance(decided, dict):
        raise RequestRefused(FailureCode.VALIDATION_FAILED, field_errors=decided)
    return decided


def _payload(wanted: CheckoutRequest | OneOffCheckoutRequest, identity: WriteIdentity) -> Payload:
    match wanted:
        case CheckoutRequest():
            return StartSubscriptionCheckout(
                client_idempotency_key=identity.client_key,
                request_fingerprint_hash=identity.request_fingerprint_hash,
                normalized_request=identity.normalized,
                plan_code=wanted.plan_code,
                success_path=wanted.success_path,
                cancel_path=wanted.cancel_path,
            )
        case OneOffCheckoutRequest(item=item):
            return StartOneOffCheckout(
                client_idempotency_key=identity.client_key,
                request_fingerprint_hash=identity.request_fingerprint_hash,
                normalized_request=identity.normalized,
                name=item.name,
                amount_minor=item.amount_minor,
                quantity=item.quantity,
                currency=item.currency,
                success_path=wanted.success_path,
                cancel_path=wanted.cancel_path,
            )
