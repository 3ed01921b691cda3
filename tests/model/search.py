"""Breadth first over every state, so the first counterexample is a shortest one; then backwards
from the settled states, so that no reachable state is a dead end."""

from __future__ import annotations

import time
from array import array
from collections import deque
from dataclasses import dataclass

from tests.model.machine import Setup, steps
from tests.model.properties import broken_state, broken_step, is_settled
from tests.model.world import World, start


@dataclass(frozen=True, slots=True)
class Result:
    """`trace`: the labels of the steps to the violation, empty when there is none."""

    states: int
    transitions: int
    seconds: float
    violation: str | None
    trace: tuple[str, ...]
    is_complete: bool

    def told(self, name: str) -> str:
        """One line, and the steps when something is wrong."""
        verdict = self.violation or ("holds" if self.is_complete else "stopped at the bound")
        line = (
            f"{name}: {self.states} states, {self.transitions} transitions, "
            f"{self.seconds:.1f} s: {verdict}"
        )
        return "\n".join([line, *(f"    {n}. {label}" for n, label in enumerate(self.trace, 1))])


def explore(setup: Setup, *, states_max: int = 10_000_000, checks_liveness: bool = True) -> Result:
    """Every state that can be reached; the first broken promise, with its shortest trace."""
    begun = time.perf_counter()
    first = start(workers=setup.workers, intents=setup.intents, keys=setup.keys)
    number_of = {first: 0}
    order = [first]
    parents, edges_from, edges_to = array("l", [-1]), array("l"), array("l")
    transitions = 0

    def result(violation: str | None, at: int | None = None, *extra: str) -> Result:
        trace = () if at is None else (*_trace(setup, order, parents, at), *extra)
        complete = len(order) <= states_max
        seconds = time.perf_counter() - begun
        return Result(len(order), transitions, seconds, violation, trace, complete)

    waiting = deque([0])
    while waiting:
        here = waiting.popleft()
        world = order[here]
        for label, successor, is_benign in steps(setup, world):
            transitions += 1
            wrong = broken_step(world, successor)
            if wrong:
                return result(wrong, here, label)
            there = number_of.get(successor)
            if there is None:
                there = len(order)
                number_of[successor] = there
                order.append(successor)
                parents.append(here)
                wrong = broken_state(setup, successor)
                if wrong:
                    return result(wrong, there)
                waiting.append(there)
            if is_benign and checks_liveness:
                edges_from.append(here)
                edges_to.append(there)
        if len(order) > states_max:
            return result(None)
    if checks_liveness:
        stuck = _stuck(order, edges_from, edges_to)
        if stuck is not None:
            return result("from here nothing settles any more", stuck, repr(order[stuck]))
    return result(None)


def _trace(setup: Setup, order: list[World], parents: array[int], at: int) -> list[str]:
    labels: list[str] = []
    while parents[at] >= 0:
        before = parents[at]
        found = next(step.label for step in steps(setup, order[before]) if step.world == order[at])
        labels.append(found)
        at = before
    return labels[::-1]


def _stuck(order: list[World], edges_from: array[int], edges_to: array[int]) -> int | None:
    """The first state from which no steps without faults lead to a settled one."""
    count = len(order)
    offsets = array("l", [0]) * (count + 1)
    for target in edges_to:
        offsets[target + 1] += 1
    for number in range(count):
        offsets[number + 1] += offsets[number]
    sources, fill = array("l", [0]) * len(edges_from), array("l", offsets)
    for source, target in zip(edges_from, edges_to, strict=True):
        sources[fill[target]] = source
        fill[target] += 1
    can_settle = bytearray(is_settled(world) for world in order)
    waiting = deque(number for number in range(count) if can_settle[number])
    while waiting:
        here = waiting.popleft()
        for at in range(offsets[here], offsets[here + 1]):
            source = sources[at]
            if not can_settle[source]:
                can_settle[source] = 1
                waiting.append(source)
    return next((number for number in range(count) if not can_settle[number]), None)
