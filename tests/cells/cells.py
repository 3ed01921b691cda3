"""What each answer of Stripe means for a checkout, call by call: the table that the tests walk.

A cell is one fault of one provider call. `is_executed`: whether Stripe carried the call out all
the same. `says` is what the client hears at once (HTTP status, code), `ends` the status of the
operation when recovery is done, `payable` how many sessions can be paid then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

WAIT: Final = (409, "request_in_progress")
REFUSED: Final = (502, "checkout_provider_error")
DONE: Final = (200, None)
BLOCKED: Final = (409, "checkout_recovery_verification_pending")


@dataclass(frozen=True, slots=True)
class Cell:
    """One answer of one call."""

    kind: str
    is_executed: bool
    says: tuple[int, str | None]
    ends: str = "succeeded"
    payable: int = 1
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For the failure list."""
        return " ".join([self.kind, *(f"{key}={value}" for key, value in self.details.items())])


def _status(number: int) -> dict[str, Any]:
    return {"status": number}


CREATE: Final = (
    # refused before anything ran, and it may be sent again under the same key
    Cell("rate_limit", False, WAIT),
    Cell("lock_timeout", False, WAIT),
    Cell("conflict", False, WAIT),
    # never executed, and nobody knows
    Cell("error_before", False, WAIT, details=_status(500)),
    Cell("error_before", False, WAIT, details=_status(502)),
    Cell("error_before", False, WAIT, details=_status(503)),
    Cell("error_before", False, WAIT, details=_status(504)),
    Cell("drop_before", False, WAIT),
    Cell("timeout_before", False, WAIT),
    # executed, and nobody knows
    Cell("drop_after", True, WAIT),
    Cell("timeout_after", True, WAIT),
    Cell("reset", True, WAIT),
    Cell("truncate", True, WAIT),
    Cell("malformed", True, WAIT),
    Cell("error_after", True, WAIT, details=_status(502)),
    Cell("error_after", True, WAIT, details=_status(503)),
    Cell("error_after", True, WAIT, details=_status(504)),
    # a 500 that Stripe stores and repeats: with a session, found by listing; without, the next key
    Cell("error_after", True, WAIT, details=_status(500)),
    Cell("error_saved", False, WAIT),
    # a definite no
    Cell("bad_request", False, REFUSED, ends="failed", payable=0),
    Cell("decline", False, REFUSED, ends="failed", payable=0),
    # slow, but fine
    Cell("slow_drip", True, DONE, details={"delay_ms": 100}),
    Cell("delay", True, DONE, details={"delay_ms": 50}),
    Cell("delay_after", True, DONE, details={"delay_ms": 50}),
    Cell("reply_after_webhooks", True, DONE),
)
# Reading again what a repeated answer was about, or listing after a stored 500. It proves nothing
# when it fails: the operation waits for the next recovery.
_READS: Final = (
    ("rate_limit", {}),
    ("conflict", {}),
    ("error_before", _status(500)),
    ("error_before", _status(503)),
    ("drop_before", {}),
    ("timeout_before", {}),
    ("drop_after", {}),
    ("reset", {}),
    ("truncate", {}),
    ("malformed", {}),
    ("bad_request", {}),
)
READ: Final = tuple(Cell(kind, False, WAIT, details=details) for kind, details in _READS)
# A lapsed session that Stripe still calls open is expired before the entity is free.
EXPIRE: Final = (
    Cell("rate_limit", False, BLOCKED),
    Cell("conflict", False, BLOCKED),
    Cell("error_before", False, BLOCKED, details=_status(500)),
    Cell("error_before", False, BLOCKED, details=_status(503)),
    Cell("drop_before", False, BLOCKED),
    Cell("timeout_before", False, BLOCKED),
    Cell("error_saved", False, BLOCKED),
    Cell("bad_request", False, BLOCKED),
    Cell("drop_after", True, DONE),
    Cell("timeout_after", True, DONE),
    Cell("truncate", True, DONE),
    Cell("malformed", True, DONE),
    Cell("error_after", True, DONE, details=_status(500)),
    Cell("error_after", True, DONE, details=_status(503)),
)
# The customer is made before anything is claimed: trouble is retried in place, a no burns no key.
# (No 402: Stripe declines cards, and this customer has none.)
CUSTOMER: Final = (
    Cell("rate_limit", False, DONE),
    Cell("conflict", False, DONE),
    Cell("error_before", False, DONE, details=_status(500)),
    Cell("error_before", False, DONE, details=_status(503)),
    Cell("drop_before", False, DONE),
    Cell("drop_after", True, DONE),
    Cell("truncate", True, DONE),
    Cell("malformed", True, DONE),
    Cell("error_after", True, DONE, details=_status(503)),
    Cell("error_saved", False, DONE),
    Cell("bad_request", False, REFUSED),
)
