"""GET /api/billing/operations/{operation_key}: what became of a write."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import WithJsonSchema
from starlette.responses import Response

from api_gateway.decisions.operation_progress import WAIT_SECONDS_MAX, Until, is_projected
from api_gateway.decisions.receipts import RECEIPT_LENGTH_MAX
from api_gateway.decisions.submissions import decide_wait_seconds
from api_gateway.handlers.operation_status import OperationReader, OperationStanding, Unclaimed
from api_gateway.routes.account_selection import SELECTOR_PARAMETERS, selector_of, subject_of
from api_gateway.routes.outcomes import (
    EXAMPLE_OPERATION_KEY,
    EXAMPLE_REQUEST_ID,
    RETRY_AFTER_HEADER,
    refusals,
    success,
)
from api_gateway.routes.problems import request_id_of
from api_gateway.routes.wire import PUBLIC_PATH, ProblemError, Shape, WireId, WireTime
from billing_common.contracts.problem import problem_body
from billing_common.domain.checkout_session import CheckoutSession, SessionStatus
from billing_common.domain.failure_codes import FAILURES, FailureCode
from billing_common.domain.idempotency import Action, OperationStatus

RETRY_AFTER_SECONDS: Final = 1


class SessionShape(Shape):
    """The checkout session that the operation opened. The URL only while it can be paid."""

    status: SessionStatus
    checkout_url: str | None
    expires_at: WireTime | None
    completed_at: WireTime | None


# As it was answered: what was absent there is absent here.
StoredError = Annotated[
    dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/ProblemError"})
]


class OperationAnswer(Shape):
    """`result` or `error` once `status` is final; `isProjected` once what was paid for is active
    in what GET /subscription shows.

    `accepted`: taken, and not begun yet. `not_started`: it waited too long and never will be; the
    same request with the same key begins it anew.
    """

    operation_key: str
    billable_entity_id: WireId
    action: Action
    status: (
        Literal["accepted", "not_started"]
        | Literal[
            OperationStatus.PENDING,
            OperationStatus.SUCCEEDED,
            OperationStatus.FAILED,
            OperationStatus.EXPIRED,
        ]
    )
    is_projected: bool
    http_status: int | None
    result: dict[str, Any] | None
    error: StoredError | None
    checkout_session: SessionShape | None
    created_at: WireTime
    updated_at: WireTime


def _example(**facts: Any) -> dict[str, Any]:
    moment = "2026-11-22T12:00:00.000Z"
    return {
        "operationKey": EXAMPLE_OPERATION_KEY,
        "billableEntityId": "42",
        "action": "checkout",
        "status": "pending",
        "isProjected": False,
        "httpStatus": None,
        "result": None,
        "error": None,
        "checkoutSession": None,
        "createdAt": moment,
        "updatedAt": moment,
    } | facts


def _error(code: FailureCode) -> Any:
    return json.loads(problem_body(code, request_id=EXAMPLE_REQUEST_ID))["error"]


_SESSION: Final = {
    "status": "open",
    "checkoutUrl": "https://checkout.example/c/pay/cs_1",
    "expiresAt": "2026-11-23T12:00:00.000Z",
}
_FOUND: Final = success(
    OperationAnswer,
    "How the operation stands. While it is not final, Retry-After says when to ask again.",
    {
        "accepted": _example(status="accepted"),
        "not_started": _example(
            status="not_started",
            httpStatus=503,
            error=_error(FailureCode.COMMAND_DEADLINE_ELAPSED),
        ),
        "pending": _example(),
        "succeeded": _example(
            status="succeeded",
            httpStatus=200,
            result={
                "billableEntityId": "42",
                "operationKey": EXAMPLE_OPERATION_KEY,
                "checkoutType": "subscription",
                "checkoutSession": _SESSION,
            },
            checkoutSession=_SESSION | {"completedAt": None},
        ),
        "failed": _example(
            status="failed",
            httpStatus=404,
            error=_error(FailureCode.CHECKOUT_PLAN_NOT_FOUND),
        ),
        "expired": _example(
            status="expired",
            httpStatus=409,
            error=_error(FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED),
        ),
    },
    headers=RETRY_AFTER_HEADER,
)
_PREFER: Final = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": f"`wait=N`: answer after N seconds (at most {WAIT_SECONDS_MAX}) or sooner.",
    "schema": {"type": "string"},
    "example": "wait=20",
}


def make_router(reader: OperationReader) -> APIRouter:
    """The resource's routes."""
    router = APIRouter(prefix=PUBLIC_PATH)

    @router.get(
        "/operations/{operation_key}",
        response_model=OperationAnswer,
        responses={200: _FOUND, **refusals(FailureCode.NOT_FOUND)},
        openapi_extra={"parameters": [_PREFER, *SELECTOR_PARAMETERS]},
    )
    async def read_operation(
        operation_key: str,
        request: Request,
        response: Response,
        *,
        wait: Annotated[int, Query(ge=0, le=WAIT_SECONDS_MAX)] = 0,
        until: Until = Until.FINISHED,
        receipt: Annotated[str | None, Query(max_length=RECEIPT_LENGTH_MAX)] = None,
    ) -> OperationAnswer:
        """The operation's state and result. With a wait, as soon as it is `until`.

        `receipt` is part of the address that 202 names: with it an operation that nobody has begun
        yet is shown too. Selectors are not used, and refused when they cannot be read.
        """
        selector_of(request)
        preferred = decide_wait_seconds(request.headers.get("prefer"), seconds_max=float("inf"))
        is_preferred = preferred != float("inf")
        standing = await reader.read(
            operation_key,
            receipt=receipt,
            subject=subject_of(request),
            wait_seconds=min(preferred, WAIT_SECONDS_MAX) if is_preferred else wait,
            until=until,
        )
        shown = (
            _unclaimed(standing, request_id_of(request))
            if isinstance(standing, Unclaimed)
            else _shape(standing)
        )
        if shown.status in ("accepted", OperationStatus.PENDING):
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return shown

    return router


def _unclaimed(unclaimed: Unclaimed, request_id: str) -> OperationAnswer:
    receipt = unclaimed.receipt
    code = FailureCode.COMMAND_DEADLINE_ELAPSED
    error = json.loads(problem_body(code, request_id=request_id))["error"]
    return OperationAnswer(
        operation_key=receipt.operation_key,
        billable_entity_id=receipt.billable_entity_id,
        action=receipt.action,
        status="accepted" if unclaimed.is_due else "not_started",
        is_projected=False,
        http_status=None if unclaimed.is_due else FAILURES[code].http_status,
        result=None,
        error=None if unclaimed.is_due else error,
        checkout_session=None,
        created_at=receipt.accepted_at,
        updated_at=receipt.accepted_at,
    )


def _shape(standing: OperationStanding) -> OperationAnswer:
    operation = standing.found.operation
    body = None if operation.response_body is None else json.loads(operation.response_body)
    is_error = operation.response_status is not None and operation.response_status >= 400
    error = _stored_error(body) if is_error else None
    return OperationAnswer(
        operation_key=operation.operation_key,
        billable_entity_id=operation.billable_entity_id,
        action=operation.action,
        status=operation.status,
        is_projected=is_projected(standing.session),
        http_status=operation.response_status,
        result=None if is_error else body,
        error=error,
        checkout_session=None if standing.session is None else _session(standing.session),
        created_at=operation.created_at,
        updated_at=standing.found.updated_at,
    )


def _stored_error(body: dict[str, Any] | None) -> dict[str, Any]:
    # Whatever version stored it: what it lacks is stated as unknown, what is new is left out.
    stored = (body or {}).get("error") or {}
    known = {name: stored[name] for name in ProblemError.model_fields if name in stored}
    return {"code": "unknown", "message": "", "request_id": ""} | known


def _session(session: CheckoutSession) -> SessionShape:
    return SessionShape(
        status=session.status,
        checkout_url=session.checkout_url if session.status is SessionStatus.OPEN else None,
        expires_at=session.expires_at,
        completed_at=session.completed_at,
    )
