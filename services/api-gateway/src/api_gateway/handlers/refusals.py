"""How a handler says no: one exception, turned into one shape of answer at the edge."""

from __future__ import annotations

from typing import Any

from billing_common.domain.failure_codes import FailureCode


class RequestRefused(Exception):  # noqa: N818 - exceptions are facts here
    """The request is answered with `code`. `field_errors` by the names the caller used."""

    def __init__(
        self,
        code: FailureCode,
        *,
        details: dict[str, Any] | None = None,
        field_errors: dict[str, str] | None = None,
        operation_key: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.details = details
        self.field_errors = field_errors
        self.operation_key = operation_key
        self.retry_after_seconds = retry_after_seconds
