"""What can go wrong with an API request, one kind a line, and when a fault is meant for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MAX_DELAY_SECONDS = 30 * 86_400


class FaultKind(StrEnum):
    """What happens to a matching request. "Kept": stored under the idempotency key.

    before the idempotency layer; nothing runs, nothing is kept
    `rate_limit`             429 `rate_limit`
    `lock_timeout`           429 `lock_timeout`
    `late_arrival`           no answer until the caller gives up, then `delay_ms` (real) and
                             `delay_seconds` (virtual) later the request arrives

    in the layer, before execution; nothing runs, nothing is kept
    `conflict`               409 `lock_timeout`
    `bad_request`            400
    `error_before`           `status` (500)
    `drop_before`            the connection is dropped
    `timeout_before`         no answer until the caller gives up

    in the layer, in place of the execution; nothing runs, the answer is kept
    `decline`                402 with `decline_code`
    `error_saved`            500: sticky, without effects

    around an execution whose result is committed and kept
    `delay`                  waits `delay_ms` before executing; the key is in use meanwhile
    `late_execution`         like `late_arrival`, but the key is in use meanwhile
    `error_after`            `status` (500). A 500 is kept: sticky, with effects. 501 to 599 stand
                             for a gateway: the result itself is kept, asking again shows it
    `delay_after`            waits `delay_ms` before answering
    `reply_after_webhooks`   the events of the request are delivered before its answer
    `timeout_after`          no answer until the caller gives up
    `drop_after`             the connection is dropped without an answer
    `reset`                  the body up to `cut_percent` (50), then the connection is reset
    `truncate`               the body up to `cut_percent`, then the connection ends
    `malformed`              the body up to `cut_percent`, as if it were whole
    `slow_drip`              the body comes in pieces over `delay_ms`
    """

    RATE_LIMIT = "rate_limit"
    LOCK_TIMEOUT = "lock_timeout"
    LATE_ARRIVAL = "late_arrival"
    CONFLICT = "conflict"
    BAD_REQUEST = "bad_request"
    ERROR_BEFORE = "error_before"
    DROP_BEFORE = "drop_before"
    TIMEOUT_BEFORE = "timeout_before"
    DECLINE = "decline"
    ERROR_SAVED = "error_saved"
    DELAY = "delay"
    LATE_EXECUTION = "late_execution"
    ERROR_AFTER = "error_after"
    DELAY_AFTER = "delay_after"
    REPLY_AFTER_WEBHOOKS = "reply_after_webhooks"
    TIMEOUT_AFTER = "timeout_after"
    DROP_AFTER = "drop_after"
    RESET = "reset"
    TRUNCATE = "truncate"
    MALFORMED = "malformed"
    SLOW_DRIP = "slow_drip"


@dataclass
class Fault:
    """One scripted fault.

    `operation` is an operation name (`checkout.sessions.create`), `METHOD /v1/path`, or `*`.
    The first `skip` matching calls pass, the next `times` go wrong. `match` keeps only requests
    whose top-level parameters equal the given strings. `delay_ms` is real time, `delay_seconds`
    the double's. A body is cut before its last byte even at 100 percent. Wrong values raise
    ValueError.
    """

    kind: FaultKind
    operation: str = "*"
    times: int = 1
    skip: int = 0
    delay_ms: int = 0
    delay_seconds: float = 0.0
    status: int = 500
    decline_code: str = "generic_decline"
    cut_percent: int = 50
    match: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kind = FaultKind(self.kind)
        if self.times < 1 or self.skip < 0:
            message = "times must be at least 1 and skip at least 0"
            raise ValueError(message)
        if self.delay_ms < 0 or not 0 <= self.delay_seconds <= MAX_DELAY_SECONDS:
            message = "delay_ms must not be negative, delay_seconds be 0 to 30 days"
            raise ValueError(message)
        if not 0 <= self.cut_percent <= 100:
            message = "cut_percent must be 0 to 100"
            raise ValueError(message)
        if not 500 <= self.status <= 599:
            message = "status must be 500 to 599"
            raise ValueError(message)

    def suits(self, names: frozenset[str], params: Mapping[str, Any]) -> bool:
        """Whether this fault is meant for a request with these operation names and parameters."""
        return (self.operation == "*" or self.operation in names) and all(
            params.get(name) == value for name, value in self.match.items()
        )
