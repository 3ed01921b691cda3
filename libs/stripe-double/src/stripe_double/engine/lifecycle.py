"""State machines as tables, read by one gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stripe_double.engine.errors import state_conflict


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """`moves[(state, action)]` is the next state; a pair that is absent is refused."""

    kind: str
    moves: Mapping[tuple[str, str], str]

    def next(self, state: str, action: str) -> str:
        """The state after `action`, or ApiError 400."""
        after = self.moves.get((state, action))
        if after is None:
            raise state_conflict(
                f"You cannot {action} a {self.kind} that is in the status {state}.",
            )
        return after

    def allows(self, state: str, action: str) -> bool:
        """Whether `action` is possible in `state`."""
        return (state, action) in self.moves
