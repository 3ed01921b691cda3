"""What a route may answer, for OpenAPI: every code that it can give, with an example of each.

A test compares this with what is really answered; a code that is missing here is a failure there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from billing_common.contracts.problem import CONTENT_TYPE, problem_body
from billing_common.domain.failure_codes import FAILURES, FailureCode

Responses = dict[int | str, dict[str, Any]]

# Whatever the route: the boundary and the world may always say these.
ANYWHERE: Final = (
    FailureCode.VALIDATION_FAILED,
    FailureCode.AUTHENTICATION_REQUIRED,
    FailureCode.PAYLOAD_TOO_LARGE,
    FailureCode.RATE_LIMITED,
    FailureCode.INTERNAL_ERROR,
    FailureCode.SERVICE_UNAVAILABLE,
)
OF_AN_ACCOUNT: Final = (
    FailureCode.BILLING_ENTITY_FORBIDDEN,
    FailureCode.WORKSPACE_SELECTION_REQUIRED,
)
OF_A_WRITE: Final = (
    *OF_AN_ACCOUNT,
    FailureCode.BILLING_PERMISSION_REQUIRED,
    FailureCode.IDEMPOTENCY_KEY_REQUIRED,
    FailureCode.IDEMPOTENCY_KEY_INVALID,
    FailureCode.IDEMPOTENCY_CONFLICT,
    FailureCode.REQUEST_IN_PROGRESS,
    FailureCode.COMMAND_DEADLINE_ELAPSED,
)

_EXAMPLES_AT: Final = "#/components/examples/"
EXAMPLE_REQUEST_ID: Final = "5f0c1c6e2f0b4a6f9f5c2f1d0e9b8a77"
EXAMPLE_OPERATION_KEY: Final = "3c1f" * 16
_EXAMPLE_DETAILS: Final[Mapping[FailureCode, dict[str, Any]]] = MappingProxyType(
    {
        FailureCode.SERVICE_SCOPE_REQUIRED: {"scope": "directory.write"},
        FailureCode.RATE_LIMITED: {"limit": "user"},
    }
)
_EXAMPLE_FIELDS: Final = {"planCode": "Field required"}
_NAMES_ITS_OPERATION: Final = frozenset({FailureCode.REQUEST_IN_PROGRESS})

REQUEST_ID_HEADER: Final = {
    "X-Request-Id": {
        "description": "Names this request in our logs; yours, if you sent a usable one.",
        "schema": {"type": "string"},
        "example": EXAMPLE_REQUEST_ID,
    }
}
RETRY_AFTER_HEADER: Final = {
    "Retry-After": {
        "description": "Seconds to wait before the same request is worth repeating.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    }
}
REPLAYED_HEADER: Final = {
    "Idempotent-Replayed": {
        "description": "`true` when an earlier request with the same key stored this answer.",
        "schema": {"type": "string", "enum": ["true"]},
        "example": "true",
    }
}
_CHALLENGE_HEADER: Final = {"WWW-Authenticate": {"schema": {"type": "string"}, "example": "Bearer"}}


def refusals(*codes: FailureCode, headers: dict[str, Any] | None = None) -> Responses:
    """The errors of a route, by status: these codes and those of anywhere."""
    by_status: dict[int, list[FailureCode]] = {}
    for code in dict.fromkeys((*codes, *ANYWHERE)):
        by_status.setdefault(FAILURES[code].http_status, []).append(code)
    return {
        status: _refusal(status, listed, headers or {})
        for status, listed in sorted(by_status.items())
    }


def success(
    model: Any,
    description: str,
    examples: Mapping[str, Any],
    *,
    headers: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One good outcome: its schema, and a named example of each form it takes."""
    return {
        "model": model,
        "description": description,
        "headers": {**REQUEST_ID_HEADER, **(headers or {})},
        "content": {
            "application/json": {
                "examples": {name: {"value": _packed(one)} for name, one in examples.items()}
            }
        },
    }


def _packed(example: Any) -> str:
    # FastAPI drops every null out of a document, also those that an example is about.
    return json.dumps(example)


def unpacked(text: str) -> Any:
    """An example of `success` as it shall stand in the document."""
    return json.loads(text)


def _refusal(status: int, codes: Iterable[FailureCode], headers: dict[str, Any]) -> dict[str, Any]:
    listed = list(codes)
    sent = {**REQUEST_ID_HEADER, **headers}
    if status == 401:
        sent |= _CHALLENGE_HEADER
    if any(FAILURES[code].is_transient and status != 500 for code in listed):
        sent |= RETRY_AFTER_HEADER
    return {
        "description": " ".join(f"`{code.value}`: {FAILURES[code].title}" for code in listed),
        "headers": sent,
        "content": {
            CONTENT_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code.value: {"$ref": _EXAMPLES_AT + code.value} for code in listed},
            }
        },
    }


def refusal_examples() -> dict[str, Any]:
    """For the document's components: one body per code."""
    return {
        code.value: {
            "summary": f"{failure.http_status} {HTTPStatus(failure.http_status).phrase}",
            "value": _example(code),
        }
        for code, failure in FAILURES.items()
    }


def _example(code: FailureCode) -> Any:
    return json.loads(
        problem_body(
            code,
            request_id=EXAMPLE_REQUEST_ID,
            details=_EXAMPLE_DETAILS.get(code),
            field_errors=_EXAMPLE_FIELDS if code is FailureCode.VALIDATION_FAILED else None,
            operation_key=EXAMPLE_OPERATION_KEY if code in _NAMES_ITS_OPERATION else None,
        )
    )
