"""The one shape of an error over HTTP: RFC 9457 members plus `error` with the canonical code."""

from __future__ import annotations

from typing import Any

from billing_common.domain.canonical_json import canonical_json
from billing_common.domain.failure_codes import FAILURES, FailureCode

CONTENT_TYPE = "application/problem+json"


def problem_body(
    code: FailureCode,
    *,
    request_id: str,
    details: dict[str, Any] | None = None,
    field_errors: dict[str, str] | None = None,
    operation_key: str | None = None,
) -> str:
    """The JSON text of an error. Deterministic, so that a stored failure replays exactly."""
    failure = FAILURES[code]
    error: dict[str, Any] = {"code": code.value, "message": failure.message}
    if details:
        error["details"] = details
    if field_errors:
        error["field_errors"] = field_errors
    if operation_key:
        error["operation_key"] = operation_key
    error["request_id"] = request_id
    return canonical_json(
        {
            "type": f"urn:holdfast:error:{code.value}",
            "title": failure.title,
            "status": failure.http_status,
            "error": error,
        }
    )
