"""POST /api/billing/checkout: the one billing write of this API so far."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from api_gateway.decisions.checkout_requests import CheckoutRequest, decide_checkout_request
from api_gateway.decisions.entity_access import Access
from api_gateway.decisions.idempotency_keys import decide_client_key
from api_gateway.decisions.return_paths import PATH_LENGTH_MAX
from api_gateway.decisions.submissions import decide_wait_seconds
from api_gateway.handlers.accounts import AccountResolver
from api_gateway.handlers.checkout_submission import (
    Answered,
    CheckoutSubmitter,
    StillPending,
    Submission,
)
from api_gateway.handlers.refusals import RequestRefused
from api_gateway.routes.account_selection import SELECTOR_PARAMETERS, account_of, subject_of
from api_gateway.routes.problems import request_id_of
from api_gateway.routes.wire import PUBLIC_PATH, RequestShape, Shape, WireTime, problem_responses
from billing_common.contracts.problem import CONTENT_TYPE
from billing_common.domain.canonical_json import canonical_json
from billing_common.domain.failure_codes import FailureCode

RETRY_PENDING_SECONDS: Final = 1
_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)

ReturnPath = Annotated[str, Field(min_length=1, max_length=PATH_LENGTH_MAX)]
PlanCode = Annotated[str, Field(max_length=120, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class CheckoutBody(RequestShape):
    """Paths are the product's own: one leading slash, no host."""

    checkout_type: Annotated[str, Field(max_length=32)] | None = None
    plan_code: PlanCode
    success_path: ReturnPath
    cancel_path: ReturnPath


class CheckoutSessionShape(Shape):
    """Where to pay. `checkoutUrl` is null once it can no longer be paid."""

    status: str
    checkout_url: str | None
    expires_at: WireTime | None


class CheckoutAnswer(Shape):
    """A payable session."""

    billable_entity_id: str
    operation_key: str
    checkout_type: str
    checkout_session: CheckoutSessionShape


class PendingAnswer(Shape):
    """Not known yet; ask at Location."""

    operation_key: str
    status: str


_PARAMETERS: Final[list[dict[str, Any]]] = [
    *SELECTOR_PARAMETERS,
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "One new value per click; the same value repeats the same request.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 191,
            "pattern": "^[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$",
        },
    },
    {
        "name": "Prefer",
        "in": "header",
        "required": False,
        "description": "`wait=N` shortens the wait for the outcome to N seconds.",
        "schema": {"type": "string"},
    },
]


def make_router(
    submitter: CheckoutSubmitter, resolver: AccountResolver, *, reply_wait_seconds: float
) -> APIRouter:
    """The resource's routes."""
    router = APIRouter(prefix=PUBLIC_PATH)

    @router.post(
        "/checkout",
        response_model=CheckoutAnswer,
        responses={
            202: {"model": PendingAnswer, "description": "Accepted; the outcome is at Location."},
            **problem_responses(400, 401, 403, 404, 409, 413, 502, 503),
        },
        openapi_extra={"parameters": _PARAMETERS},
    )
    async def start_checkout(body: CheckoutBody, request: Request) -> Response:
        """Open one payable session for a plan. Repeating the same key repeats the answer."""
        client_key = decide_client_key(request.headers.getlist("idempotency-key"))
        if isinstance(client_key, FailureCode):
            raise RequestRefused(client_key)
        wanted = _wanted(body)
        entity = await account_of(request, resolver, Access.WRITE)
        outcome = await submitter.submit(
            Submission(
                billable_entity_id=entity.id,
                subject=subject_of(request),
                client_key=client_key,
                request=wanted,
                wait_seconds=decide_wait_seconds(
                    ",".join(request.headers.getlist("prefer")), seconds_max=reply_wait_seconds
                ),
                request_id=request_id_of(request),
                traceparent=_traceparent(request),
            )
        )
        return _answered(outcome) if isinstance(outcome, Answered) else _pending(outcome)

    return router


def _wanted(body: CheckoutBody) -> CheckoutRequest:
    decided = decide_checkout_request(
        checkout_type=body.checkout_type,
        plan_code=body.plan_code,
        success_path=body.success_path,
        cancel_path=body.cancel_path,
    )
    if isinstance(decided, dict):
        raise RequestRefused(FailureCode.VALIDATION_FAILED, field_errors=decided)
    return decided


def _answered(outcome: Answered) -> Response:
    headers = {"Idempotent-Replayed": "true"} if outcome.is_replay else {}
    if outcome.retry_after_seconds is not None:
        headers["Retry-After"] = str(outcome.retry_after_seconds)
    return Response(
        outcome.body,
        status_code=outcome.http_status,
        headers=headers,
        media_type="application/json" if outcome.http_status < 400 else CONTENT_TYPE,
    )


def _pending(outcome: StillPending) -> Response:
    return Response(
        canonical_json({"operationKey": outcome.operation_key, "status": "pending"}),
        status_code=202,
        headers={
            "Location": f"/api/billing/operations/{outcome.operation_key}",
            "Retry-After": str(RETRY_PENDING_SECONDS),
        },
        media_type="application/json",
    )


def _traceparent(request: Request) -> str | None:
    sent = request.headers.get("traceparent")
    return sent if sent is not None and _TRACEPARENT.fullmatch(sent) else None
