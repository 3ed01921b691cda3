"""Faults on demand: which API calls go wrong, how, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """What happens to a matching request.

    `rate_limit`        429, before the idempotency layer; nothing runs, nothing is kept
    `conflict`          409 `lock_timeout`; nothing runs, nothing is kept
    `error_before`      500 before execution; nothing runs, nothing is kept
    `error_saved`       500 instead of execution, kept under the key (a sticky 500 without effects)
    `error_after`       executed and committed, answered 500, kept under the key (sticky, effects!)
    `drop_before`       connection dropped before execution
    `drop_after`        executed, committed, kept; the connection is dropped without an answer
    `truncate`          executed, committed, kept; the connection is dropped inside the body
    `delay`             waits `delay_ms` before executing; the key counts as in use meanwhile
    `delay_after`       executes, then waits `delay_ms` before answering
    """

    RATE_LIMIT = "rate_limit"
    CONFLICT = "conflict"
    ERROR_BEFORE = "error_before"
    ERROR_SAVED = "error_saved"
    ERROR_AFTER = "error_after"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    TRUNCATE = "truncate"
    DELAY = "delay"
    DELAY_AFTER = "delay_after"


@dataclass
class Fault:
    """One scripted fault.

    `operation` is an operation name (`checkout.sessions.create`), `METHOD /v1/path`, or `*`.
    The first `skip` matching calls pass, the next `times` go wrong. `match` keeps only requests
    whose top-level parameters equal the given strings.
    """

    kind: FaultKind
    operation: str = "*"
    times: int = 1
    skip: int = 0
    delay_ms: int = 0
    match: Mapping[str, str] = field(default_factory=dict)

    def suits(self, names: frozenset[str], params: Mapping[str, Any]) -> bool:
        """Whether this fault is meant for a request with these operation names and parameters."""
        return (self.operation == "*" or self.operation in names) and all(
            params.get(name) == value for name, value in self.match.items()
        )


class FaultScript:
    """The faults still to come, in the order they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Append one fault."""
        self._faults.append(fault)

    def take(self, names: frozenset[str], params: Mapping[str, Any]) -> Fault | None:
        """The fault for this request, used up by one call."""
        for fault in self._faults:
            if not fault.suits(names, params):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
            return fault
        return None

    def pending(self) -> list[Fault]:
        """Faults that have not been used up."""
        return list(self._faults)

    def clear(self) -> None:
        """No more faults."""
        self._faults.clear()
