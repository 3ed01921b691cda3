"""GET /api/billing/operations/{operation_key}: what became of a write."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from api_gateway.decisions.operation_progress import WAIT_SECONDS_MAX, Until, is_projected
from api_gateway.decisions.submissions import decide_wait_seconds
from api_gateway.handlers.operation_status import OperationReader, OperationStanding
from api_gateway.routes.account_selection import selector_of, subject_of
from api_gateway.routes.wire import PUBLIC_PATH, Shape, WireId, WireTime, problem_responses
from billing_common.domain.checkout_session import CheckoutSession, SessionStatus


class SessionShape(Shape):
    """The checkout session that the operation opened. The URL only while it can be paid."""

    status: str
    checkout_url: str | None
    expires_at: WireTime | None
    completed_at: WireTime | None


class OperationAnswer(Shape):
    """`result` or `error` once `status` is final; `isProjected` once what was paid for is active
    in what GET /subscription shows."""

    operation_key: str
    billable_entity_id: WireId
    action: str
    status: str
    is_projected: bool
    http_status: int | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    checkout_session: SessionShape | None
    created_at: WireTime
    updated_at: WireTime


_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": f"`wait=N`: answer after N seconds (at most {WAIT_SECONDS_MAX}) or sooner.",
    "schema": {"type": "string"},
}


def make_router(reader: OperationReader) -> APIRouter:
    """The resource's routes."""
    router = APIRouter(prefix=PUBLIC_PATH)

    @router.get(
        "/operations/{operation_key}",
        response_model=OperationAnswer,
        responses=problem_responses(400, 401, 404, 503),
        openapi_extra={"parameters": [_PREFER]},
    )
    async def read_operation(
        operation_key: str,
        request: Request,
        wait: Annotated[int, Query(ge=0, le=WAIT_SECONDS_MAX)] = 0,
        until: Until = Until.FINISHED,
    ) -> OperationAnswer:
        """The operation's state and result. With a wait, as soon as it is `until`."""
        selector_of(request)  # not used, and still not ignored when it cannot be read
        preferred = decide_wait_seconds(request.headers.get("prefer"), seconds_max=float("inf"))
        is_preferred = preferred != float("inf")
        standing = await reader.read(
            operation_key,
            subject=subject_of(request),
            wait_seconds=min(preferred, WAIT_SECONDS_MAX) if is_preferred else wait,
            until=until,
        )
        return _shape(standing)

    return router


def _shape(standing: OperationStanding) -> OperationAnswer:
    operation = standing.found.operation
    body = None if operation.response_body is None else json.loads(operation.response_body)
    is_error = operation.response_status is not None and operation.response_status >= 400
    return OperationAnswer(
        operation_key=operation.operation_key,
        billable_entity_id=operation.billable_entity_id,
        action=operation.action.value,
        status=operation.status.value,
        is_projected=is_projected(standing.session),
        http_status=operation.response_status,
        result=None if is_error else body,
        error=body.get("error") if is_error and body is not None else None,
        checkout_session=None if standing.session is None else _session(standing.session),
        created_at=operation.created_at,
        updated_at=standing.found.updated_at,
    )


def _session(session: CheckoutSession) -> SessionShape:
    return SessionShape(
        status=session.status.value,
        checkout_url=session.checkout_url if session.status is SessionStatus.OPEN else None,
        expires_at=session.expires_at,
        completed_at=session.completed_at,
    )
