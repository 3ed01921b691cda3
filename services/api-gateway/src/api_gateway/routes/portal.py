"""POST /api/billing/portal: where a subscriber changes, pays and ends what it has."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from api_gateway.decisions.portal_requests import (
    PortalRequest,
    PortalStep,
    decide_portal_request,
)
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.handlers.write_submission import WriteIdentity
from api_gateway.routes.checkout import ReturnPath
from api_gateway.routes.outcomes import EXAMPLE_OPERATION_KEY, OF_A_WRITE, REPLAYED_HEADER, success
from api_gateway.routes.wire import PUBLIC_PATH, RequestShape, Shape
from api_gateway.routes.writes import WRITE_PARAMETERS, Writes, client_key_of, write_responses
from billing_common.contracts.commands import OpenPortal
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import Action

PORTAL_CODES: Final = (
    *OF_A_WRITE,
    FailureCode.PORTAL_SUBSCRIPTION_REQUIRED,
    FailureCode.CHECKOUT_CONFIGURATION_INVALID,
    FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED,
    FailureCode.CHECKOUT_REPLAY_PROVENANCE_MISMATCH,
    FailureCode.CHECKOUT_PROVIDER_ERROR,
)

CommandStep = Literal["cancel", "update", "payment_method"]
_STEPS: Final = MappingProxyType[PortalStep, CommandStep](
    {
        PortalStep.CANCEL: "cancel",
        PortalStep.UPDATE: "update",
        PortalStep.PAYMENT_METHOD: "payment_method",
    }
)


class PortalBody(RequestShape):
    """`returnPath` is the product's own: one leading slash, no host."""

    return_path: ReturnPath
    step: Annotated[PortalStep, Field(strict=False)] | None = None


class PortalSessionShape(Shape):
    """Send the browser to `url` at once: it works for minutes, for whoever has it."""

    url: str


class PortalAnswer(Shape):
    """A visit to the portal."""

    billable_entity_id: str
    operation_key: str
    portal_session: PortalSessionShape


PORTAL_DONE: Final = success(
    PortalAnswer,
    "The portal is open for this account's customer. A new visit is a new key.",
    {
        "open": {
            "billableEntityId": "42",
            "operationKey": EXAMPLE_OPERATION_KEY,
            "portalSession": {"url": "https://portal.example/p/session/bps_1"},
        }
    },
    headers=REPLAYED_HEADER,
)


def make_router(writes: Writes) -> APIRouter:
    """The resource's routes."""
    router = APIRouter(prefix=PUBLIC_PATH)

    @router.post(
        "/portal",
        response_model=PortalAnswer,
        responses=write_responses(PORTAL_DONE, *PORTAL_CODES),
        openapi_extra={"parameters": WRITE_PARAMETERS},
    )
    async def open_portal(body: PortalBody, request: Request) -> Response:
        """Open the portal, or one of its steps. Needs a subscription."""
        client_key_of(request)
        wanted = _wanted(body)

        def make_payload(identity: WriteIdentity) -> OpenPortal:
            return OpenPortal(
                client_idempotency_key=identity.client_key,
                request_fingerprint_hash=identity.request_fingerprint_hash,
                normalized_request=identity.normalized,
                return_path=wanted.return_path,
                step=None if wanted.step is None else _STEPS[wanted.step],
            )

        return await writes.submit(
            request, action=Action.PORTAL, normalize=wanted.normalized, make_payload=make_payload
        )

    return router


def _wanted(body: PortalBody) -> PortalRequest:
    decided = decide_portal_request(return_path=body.return_path, step=body.step)
    if isinstance(decided, dict):
        raise RequestRefused(FailureCode.VALIDATION_FAILED, field_errors=decided)
    return decided
