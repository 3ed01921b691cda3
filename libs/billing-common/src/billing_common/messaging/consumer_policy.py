"""What happens to a message whose handler raised: one table, by the kind of error. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from billing_common.domain.errors import BillingError, BugError, PoisonError, TransientError
from billing_common.messaging.backoff import Backoff


class FailureKind(StrEnum):
    """The kinds of billing_common.domain.errors, and what is none of them."""

    TRANSIENT = "transient"
    POISON = "poison"
    BUG = "bug"
    UNKNOWN = "unknown"


class FailureAction(StrEnum):
    """RETRY in place, its key waits. DEAD_LETTER and go on. STOP the consumer."""

    RETRY = "retry"
    DEAD_LETTER = "dead_letter"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class FailureRule:
    """Retry `attempts_max` times in all (None: for ever), then do `finally_do`."""

    attempts_max: int | None
    finally_do: FailureAction


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do now. `delay_seconds` counts for RETRY only."""

    action: FailureAction
    delay_seconds: float = 0.0


DEFAULT_RULES: Final[Mapping[FailureKind, FailureRule]] = MappingProxyType(
    {
        # The world comes back; giving up would turn an outage into lost commands.
        FailureKind.TRANSIENT: FailureRule(None, FailureAction.RETRY),
        # Another try cannot help.
        FailureKind.POISON: FailureRule(1, FailureAction.DEAD_LETTER),
        # A few tries tell a race from a defect; then the key must not wait for a new release.
        FailureKind.BUG: FailureRule(3, FailureAction.DEAD_LETTER),
        FailureKind.UNKNOWN: FailureRule(5, FailureAction.DEAD_LETTER),
    }
)
# Somebody waits for the answer of a command: try again soon, but let a database come up.
RETRY_BACKOFF: Final = Backoff(first_seconds=0.05, cap_seconds=5.0)


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """The table and its waits."""

    rules: Mapping[FailureKind, FailureRule] = field(default_factory=lambda: DEFAULT_RULES)
    backoff: Backoff = RETRY_BACKOFF

    def decide(self, kind: FailureKind, attempts: int) -> Verdict:
        """After this many failed attempts (1 or more)."""
        rule = self.rules[kind]
        if rule.attempts_max is None or attempts < rule.attempts_max:
            return Verdict(FailureAction.RETRY, self.backoff.seconds(attempts))
        return Verdict(rule.finally_do)


def failure_kind(error: BaseException) -> FailureKind:
    """The kind of any exception."""
    match error:
        case TransientError():
            return FailureKind.TRANSIENT
        case PoisonError():
            return FailureKind.POISON
        case BugError():
            return FailureKind.BUG
        case _:
            return FailureKind.UNKNOWN


def failure_code(error: BaseException) -> str:
    """A stable name for headers, metrics and logs; never the text, which may quote the input."""
    return error.code if isinstance(error, BillingError) else type(error).__name__


class DeadLetterLimit:
    """At most `count` messages are given up per `window_seconds`.

    A bad release fails every message: without a limit it would empty the topic into dead letters.
    """

    def __init__(self, *, count: int = 30, window_seconds: float = 60.0) -> None:
        self._count = count
        self._window_seconds = window_seconds
        self._given_up: deque[float] = deque()

    def allows_one_more(self, now_seconds: float) -> bool:
        """Takes one place if there is one. `now_seconds`: a clock that never goes back."""
        while self._given_up and self._given_up[0] <= now_seconds - self._window_seconds:
            self._given_up.popleft()
        if len(self._given_up) >= self._count:
            return False
        self._given_up.append(now_seconds)
        return True
