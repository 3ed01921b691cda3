"""Every error's one way out: code to status, body and headers. No detail of ours leaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api_gateway.handlers.refusals import RequestRefused
from api_gateway.settings import RETRY_AFTER_SECONDS
from billing_common.contracts.problem import CONTENT_TYPE, problem_body
from billing_common.domain.errors import TransientError
from billing_common.domain.failure_codes import FAILURES, FailureCode

log = structlog.get_logger()

FIELD_ERRORS_MAX: Final = 50
_NAME_LENGTH_MAX: Final = 120
_CODE_BY_STATUS: Final = {
    400: FailureCode.VALIDATION_FAILED,
    401: FailureCode.AUTHENTICATION_REQUIRED,
    404: FailureCode.NOT_FOUND,
    405: FailureCode.METHOD_NOT_ALLOWED,
    413: FailureCode.PAYLOAD_TOO_LARGE,
    422: FailureCode.VALIDATION_FAILED,
}


def problem_response(
    code: FailureCode,
    *,
    request_id: str,
    details: dict[str, Any] | None = None,
    field_errors: dict[str, str] | None = None,
    operation_key: str | None = None,
    retry_after_seconds: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The canonical error as a response."""
    sent = dict(headers or {})
    if code is FailureCode.AUTHENTICATION_REQUIRED:
        sent["WWW-Authenticate"] = "Bearer"
    if code is FailureCode.SERVICE_UNAVAILABLE and retry_after_seconds is None:
        retry_after_seconds = RETRY_AFTER_SECONDS
    if retry_after_seconds is not None:
        sent["Retry-After"] = str(retry_after_seconds)
    body = problem_body(
        code,
        request_id=request_id,
        details=details,
        field_errors=field_errors,
        operation_key=operation_key,
    )
    return Response(
        body.encode(),
        status_code=FAILURES[code].http_status,
        headers=sent,
        media_type=CONTENT_TYPE,
    )


def request_id_of(request: Request) -> str:
    """Given by the boundary."""
    return str(request.state.request_id)


def install(app: FastAPI) -> None:
    """Make `app` answer every error this way."""
    app.add_exception_handler(RequestRefused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(TransientError, _unavailable)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestRefused)  # noqa: S101 - registered for this class only
    return problem_response(
        error.code,
        request_id=request_id_of(request),
        details=error.details,
        field_errors=error.field_errors,
        operation_key=error.operation_key,
        retry_after_seconds=error.retry_after_seconds,
    )


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    return problem_response(
        FailureCode.VALIDATION_FAILED,
        request_id=request_id_of(request),
        field_errors=_field_errors(error.errors()),
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    code = _CODE_BY_STATUS.get(error.status_code, FailureCode.INTERNAL_ERROR)
    is_about_body = code is FailureCode.VALIDATION_FAILED
    return problem_response(
        code,
        request_id=request_id_of(request),
        field_errors={"body": "cannot be read"} if is_about_body else None,
        headers=dict(error.headers or {}),
    )


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning(
        "gateway.unavailable",
        request_id=request_id_of(request),
        code=getattr(error, "code", "transient"),
        error=error,
    )
    return problem_response(FailureCode.SERVICE_UNAVAILABLE, request_id=request_id_of(request))


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error(
        "gateway.unexpected_error",
        request_id=request_id_of(request),
        path=request.url.path,
        error_type=type(error).__name__,
    )
    return problem_response(FailureCode.INTERNAL_ERROR, request_id=request_id_of(request))


def _field_errors(errors: Sequence[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for error in errors[:FIELD_ERRORS_MAX]:
        # The first part says where (body, query); a broken body's second part is an offset.
        parts = [part for part in error["loc"][1:] if error["type"] != "json_invalid"]
        name = _path_of(parts) or str(error["loc"][0])
        # Names come from the caller: they may hold halves of characters that UTF-8 cannot.
        name = name.encode("utf-8", "backslashreplace").decode()[:_NAME_LENGTH_MAX]
        found[name] = str(error["msg"])
    return found


def _path_of(parts: Sequence[str | int]) -> str:
    """As a client writes it: `lineItems[2].amountMinor`."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
