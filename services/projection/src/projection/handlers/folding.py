"""Decide: the batch's events in log order, each against the state the one before left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from projection.decisions.event import (
    Applied,
    Family,
    Ignored,
    IgnoreReason,
    NeedsTruth,
    ObjectRef,
    Outcome,
    RefusalCode,
    Refused,
    Truth,
)
from projection.decisions.fold import fold
from projection.decisions.state import EntityState
from projection.handlers.gathering import Gathered
from projection.handlers.receive import Received


@dataclass(slots=True)
class Folded:
    """The outcome of each event, the states after all of them, and the doubts that remain.

    `fences` holds the row version under which each doubtful object must be fetched.
    """

    outcomes: list[tuple[Received, Outcome]] = field(default_factory=list)
    states: dict[str, EntityState] = field(default_factory=dict)
    fences: dict[ObjectRef, int] = field(default_factory=dict)


def fold_batch(
    received: Sequence[Received],
    gathered: Gathered,
    *,
    truths: Mapping[ObjectRef, Truth],
    unavailable: Set[ObjectRef],
) -> Folded:
    """Pure. A refused event leaves no trace in the states; the next one goes on from before it."""
    result = Folded(states=dict(gathered.states))
    valid = {
        ref: truth
        for ref, truth in truths.items()
        if truth.row_version == row_version(gathered.states, ref)
    }
    for one in received:
        outcome = _fold_one(one, result.states, gathered, valid)
        if isinstance(outcome, NeedsTruth):
            if outcome.ref in unavailable:
                outcome = Refused(
                    RefusalCode.TRUTH_UNAVAILABLE, "the provider could not be asked about a tie"
                )
            else:
                result.fences[outcome.ref] = row_version(gathered.states, outcome.ref)
        if isinstance(outcome, Applied) and one.customer_id is not None:
            result.states[one.customer_id] = outcome.state
        result.outcomes.append((one, outcome))
    return result


def row_version(states: Mapping[str, EntityState], ref: ObjectRef) -> int:
    """The version of the stored row, 0 when there is none: the fence of a fetch."""
    for state in states.values():
        rows = state.subscriptions if ref.family is Family.SUBSCRIPTION else state.invoices
        row = rows.get(ref.id)
        if row is not None:
            return row.row_version
    return 0


def _fold_one(
    one: Received,
    states: Mapping[str, EntityState],
    gathered: Gathered,
    truths: Mapping[ObjectRef, Truth],
) -> Outcome:
    if one.event is None:
        return Ignored(IgnoreReason.TYPE_NOT_ROUTED)
    if isinstance(one.event, Refused):
        return one.event
    state = states.get(one.customer_id) if one.customer_id is not None else None
    return fold(state, one.event, truths=truths, prices=gathered.prices)
