"""What a command is answered with: a status and the exact text of the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from billing_common.contracts.problem import problem_body
from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FAILURES, FailureCode
from billing_common.domain.idempotency import Operation, OperationStatus
from billing_common.domain.provider_outcome import ProviderFailure

RETRY_SOON_SECONDS: Final = 2
DEADLINE_RETRY_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """`outcome` is `succeeded` or a failure code, for metrics. `is_replay`: it was stored."""

    http_status: int
    body: str
    outcome: str
    is_replay: bool = False
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Who waits for an answer: what every error body names."""

    operation_key: str
    request_id: str


def refusal(
    code: FailureCode,
    asked: Asked,
    *,
    details: dict[str, Any] | None = None,
    retry_after_seconds: int | None = None,
) -> Answer:
    """The canonical error for `code`."""
    return Answer(
        http_status=FAILURES[code].http_status,
        body=problem_body(
            code,
            request_id=asked.request_id,
            details=details,
            operation_key=asked.operation_key,
        ),
        outcome=code.value,
        retry_after_seconds=retry_after_seconds,
    )


def in_progress(asked: Asked, *, retry_after_seconds: int = RETRY_SOON_SECONDS) -> Answer:
    """The operation is pending, and somebody (a worker, or recovery soon) will move it."""
    return refusal(FailureCode.REQUEST_IN_PROGRESS, asked, retry_after_seconds=retry_after_seconds)


def deadline_elapsed(asked: Asked) -> Answer:
    """Whoever asked has stopped waiting: nothing was claimed, nothing is stored."""
    return refusal(
        FailureCode.COMMAND_DEADLINE_ELAPSED, asked, retry_after_seconds=DEADLINE_RETRY_SECONDS
    )


def stored_answer(operation: Operation) -> Answer:
    """The bytes that the finished operation was answered with, whoever finished it."""
    if operation.response_status is None or operation.response_body is None:
        raise BugError(f"operation row {operation.id} is {operation.status} without an answer")
    return Answer(
        http_status=operation.response_status,
        body=operation.response_body.decode(),
        outcome=operation.failure_code or OperationStatus.SUCCEEDED.value,
        is_replay=True,
    )


def provider_reason(failure: ProviderFailure) -> str:
    """For operators: status, type and code, never the provider's words about the customer."""
    return (
        f"provider answered {failure.http_status}, {failure.error_type}, {failure.error_code}, "
        f"request {failure.request_id}"
    )
