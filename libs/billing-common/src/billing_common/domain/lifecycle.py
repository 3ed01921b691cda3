"""The gate of every strict state machine: an immutable table, read by one pure function.

Three answers instead of an exception, because redelivery is normal: `AlreadyThere` is a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeVar

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Applied(Generic[State]):
    """The transition is in the table; `state` is the new state."""

    state: State


@dataclass(frozen=True, slots=True)
class AlreadyThere(Generic[State]):
    """The event has been absorbed before: the state is one it leads to."""

    state: State


@dataclass(frozen=True, slots=True)
class NotAllowed(Generic[State, Event]):
    """The pair is not in the table. Nothing may be written."""

    state: State
    event: Event


@dataclass(frozen=True, slots=True)
class Lifecycle(Generic[State, Event]):
    """A strict state machine as data: what is not in `transitions` is refused."""

    name: str
    initial: frozenset[State]
    terminal: frozenset[State]
    transitions: Mapping[tuple[State, Event], State]

    def apply(
        self, state: State, event: Event
    ) -> Applied[State] | AlreadyThere[State] | NotAllowed[State, Event]:
        """Total over every pair; applying the same event twice is `AlreadyThere`."""
        target = self.transitions.get((state, event))
        if target is not None:
            return Applied(target) if target is not state else AlreadyThere(state)
        if any(to is state for (_, by), to in self.transitions.items() if by is event):
            return AlreadyThere(state)
        return NotAllowed(state, event)


def lifecycle(
    *,
    name: str,
    initial: set[State],
    transitions: dict[tuple[State, Event], State],
) -> Lifecycle[State, Event]:
    """Build a table; the terminal states are those that nothing leaves."""
    states = set(initial) | {to for to in transitions.values()} | {s for s, _ in transitions}
    left = {state for (state, _), to in transitions.items() if to is not state}
    return Lifecycle(
        name=name,
        initial=frozenset(initial),
        terminal=frozenset(states - left),
        transitions=MappingProxyType(dict(transitions)),
    )
