"""What a provider's answer proves: one closed table over (HTTP status, type, code, headers).

Only what is listed is definite. Everything else, above all a timeout, is *unknown*: the call may
have been executed, and the operation stays pending until that is settled.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Final


class Certainty(StrEnum):
    """What we know after the call."""

    SUCCESS = "success"
    REJECTION = "rejection"  # it was not executed, and never will be
    UNKNOWN = "unknown"


class Finding(StrEnum):
    """What an answer means for the operation; each finding has one certainty."""

    EXECUTED = "executed"
    REFUSED = "refused"  # this request, now and every time it is sent
    REFUSED_AT_THE_DOOR = "refused_at_the_door"  # this call only: an earlier one may have passed
    STORED_ERROR = "stored_error"  # perhaps executed; the key repeats this error for a day
    KEY_REUSED = "key_reused"  # one key, two requests: our bug
    UNKNOWN = "unknown"  # perhaps executed, perhaps still running; ask again under the same key


CERTAINTY: Final = {
    Finding.EXECUTED: Certainty.SUCCESS,
    Finding.REFUSED: Certainty.REJECTION,
    Finding.REFUSED_AT_THE_DOOR: Certainty.REJECTION,
    Finding.STORED_ERROR: Certainty.UNKNOWN,
    Finding.KEY_REUSED: Certainty.UNKNOWN,
    Finding.UNKNOWN: Certainty.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class ProviderFailure:
    """An answer without a result. `http_status` is None when there was no answer at all.

    `is_replayed`: the provider said that it repeated a stored answer (Idempotent-Replayed).
    `should_retry`: what it said of sending the same again (Stripe-Should-Retry); None: nothing.
    """

    http_status: int | None
    error_type: str | None
    error_code: str | None
    is_replayed: bool = False
    request_id: str | None = None
    should_retry: bool | None = None


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """A row of the table; None matches anything. The first match counts.

    `http_status` is one status or a class of them (4 is 4xx, 5 is 5xx).
    """

    http_status: int
    error_type: str | None
    error_code: str | None
    finding: Finding
    reason: str
    _: KW_ONLY
    is_replayed: bool | None = None
    should_retry: bool | None = None

    def matches(self, answer: ProviderFailure) -> bool:
        """Whether this row speaks of the answer."""
        return (
            answer.http_status is not None
            and self.http_status in (answer.http_status, answer.http_status // 100)
            and self.error_type in (None, answer.error_type)
            and self.error_code in (None, answer.error_code)
            and self.is_replayed in (None, answer.is_replayed)
            and self.should_retry in (None, answer.should_retry)
        )


_DONE, _NO, _DOOR = Finding.EXECUTED, Finding.REFUSED, Finding.REFUSED_AT_THE_DOOR
_STORED, _REUSED, _UNKNOWN = Finding.STORED_ERROR, Finding.KEY_REUSED, Finding.UNKNOWN
_INVALID: Final = "invalid_request_error"
_IN_USE: Final = "idempotency_key_in_use"
_Row = OutcomeRow

OUTCOME_TABLE: Final[tuple[OutcomeRow, ...]] = (
    _Row(2, "holdfast", None, _UNKNOWN, "executed, but we could not read the answer"),
    _Row(2, None, None, _DONE, "executed"),
    _Row(400, "idempotency_error", None, _REUSED, "the key was used with other parameters"),
    _Row(4, None, None, _UNKNOWN, "the provider itself says: send it again", should_retry=True),
    _Row(400, None, _IN_USE, _UNKNOWN, "the first request is still running"),
    _Row(400, None, "lock_timeout", _UNKNOWN, "another request holds the object"),
    _Row(400, _INVALID, None, _NO, "refused before execution"),
    _Row(401, None, None, _DOOR, "our API key was refused"),
    _Row(402, "card_error", None, _NO, "declined; stored under the key"),
    _Row(403, None, None, _DOOR, "our API key may not do this"),
    _Row(404, _INVALID, None, _NO, "it names an object that does not exist"),
    _Row(409, None, None, _UNKNOWN, "key in use or lock timeout: may be running"),
    _Row(429, None, None, _UNKNOWN, "refused before the idempotency layer; try again"),
    _Row(5, None, None, _STORED, "the stored answer of an earlier call", is_replayed=True),
    _Row(500, None, None, _STORED, "it ended; repeating is pointless", should_retry=False),
    _Row(500, None, None, _UNKNOWN, "may have been executed, and may be stored"),
    _Row(502, None, None, _UNKNOWN, "may have been executed"),
    _Row(503, None, None, _UNKNOWN, "may have been executed"),
    _Row(504, None, None, _UNKNOWN, "may have been executed"),
)


def judge(answer: ProviderFailure) -> Finding:
    """The one gate. Total; the default is unknown."""
    for row in OUTCOME_TABLE:
        if row.matches(answer):
            return row.finding
    return Finding.UNKNOWN


def classify(answer: ProviderFailure) -> Certainty:
    """The certainty of what `judge` finds."""
    return CERTAINTY[judge(answer)]
