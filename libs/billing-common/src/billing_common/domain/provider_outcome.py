"""What a provider's answer proves: one closed table over (HTTP status, type, code).

Only what is listed is definite. Everything else, above all a timeout, is *unknown*: the call may
have been executed, and the operation stays pending until that is settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Certainty(StrEnum):
    """What we know after the call."""

    SUCCESS = "success"
    REJECTION = "rejection"  # it was not executed, and never will be
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ProviderFailure:
    """An answer without a result. `http_status` is None when there was no answer at all.

    `is_replayed`: the provider said that it repeated a stored answer (Idempotent-Replayed).
    """

    http_status: int | None
    error_type: str | None
    error_code: str | None
    is_replayed: bool = False
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """A row of the table; None matches anything. The first match counts."""

    http_status: int
    error_type: str | None
    error_code: str | None
    certainty: Certainty
    reason: str


_UNKNOWN, _NO = Certainty.UNKNOWN, Certainty.REJECTION

OUTCOME_TABLE: Final[tuple[OutcomeRow, ...]] = (
    OutcomeRow(
        400, "idempotency_error", None, _UNKNOWN, "the key was used with other parameters: our bug"
    ),
    OutcomeRow(400, None, "idempotency_key_in_use", _UNKNOWN, "the first request is still running"),
    OutcomeRow(400, None, "lock_timeout", _UNKNOWN, "another request holds the object"),
    OutcomeRow(400, "invalid_request_error", None, _NO, "refused before execution"),
    OutcomeRow(401, None, None, _NO, "our API key was refused"),
    OutcomeRow(402, "card_error", None, _NO, "declined; stored under the key"),
    OutcomeRow(403, None, None, _NO, "our API key may not do this"),
    OutcomeRow(404, "invalid_request_error", None, _NO, "it names an object that does not exist"),
    OutcomeRow(409, None, None, _UNKNOWN, "key in use or lock timeout: may be running"),
    OutcomeRow(429, None, None, _UNKNOWN, "refused before the idempotency layer; try again"),
    OutcomeRow(500, None, None, _UNKNOWN, "may have been executed, and the answer is stored"),
    OutcomeRow(502, None, None, _UNKNOWN, "may have been executed"),
    OutcomeRow(503, None, None, _UNKNOWN, "may have been executed"),
    OutcomeRow(504, None, None, _UNKNOWN, "may have been executed"),
)


def classify(failure: ProviderFailure) -> Certainty:
    """Total; the default is unknown."""
    for row in OUTCOME_TABLE:
        if (
            row.http_status == failure.http_status
            and row.error_type in (None, failure.error_type)
            and row.error_code in (None, failure.error_code)
        ):
            return row.certainty
    return Certainty.UNKNOWN
