"""The state tables themselves, before any behaviour: every strict table of the domain."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest

from billing_common import domain
from billing_common.domain.lifecycle import (
    AlreadyThere,
    Applied,
    Lifecycle,
    NotAllowed,
    lifecycle,
)
from billing_common.domain.subscription import (
    CURRENT_CAPABLE,
    ENTITLING,
    EXPECTED,
    TERMINAL,
    SubscriptionStatus,
)

pytestmark = pytest.mark.requirement("SCOPE-10")

# A word of the seed's column that no transition of ours leads to: projecting is one transaction,
# so an event is never seen in the middle of it.
NEVER_ENTERED = {"processing"}


def _tables() -> Iterator[Lifecycle[Any, Any]]:
    for found in pkgutil.iter_modules(domain.__path__):
        module = importlib.import_module(f"billing_common.domain.{found.name}")
        yield from (v for v in vars(module).values() if isinstance(v, Lifecycle))


TABLES = tuple(_tables())
each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def _states(table: Lifecycle[Any, Any]) -> type[StrEnum]:
    state: type[StrEnum] = type(next(iter(table.initial)))
    return state


def _events(table: Lifecycle[Any, Any]) -> type[StrEnum]:
    event: type[StrEnum] = type(next(iter(table.transitions))[1])
    return event


def test_the_tables_are_found() -> None:
    assert {table.name for table in TABLES} == {
        "operation",
        "checkout_session",
        "payment_link",
        "webhook_event",
    }


@each_table
def test_every_word_is_used_and_every_state_can_be_reached(table: Lifecycle[Any, Any]) -> None:
    assert {event for _, event in table.transitions} == set(_events(table))
    reached = set(table.initial)
    while True:
        further = {to for (state, _), to in table.transitions.items() if state in reached}
        if further <= reached:
            break
        reached |= further
    assert reached == {state for state in _states(table) if state.value not in NEVER_ENTERED}


@each_table
def test_terminal_states_are_those_that_nothing_leaves(table: Lifecycle[Any, Any]) -> None:
    left = {state for (state, _), to in table.transitions.items() if to is not state}
    assert table.terminal == {state for state in _states(table) if state not in left} - {
        state for state in _states(table) if state.value in NEVER_ENTERED
    }
    for state in table.terminal:
        for event in _events(table):
            assert not isinstance(table.apply(state, event), Applied)


@each_table
def test_apply_is_total_and_repeating_an_event_changes_nothing(
    table: Lifecycle[Any, Any],
) -> None:
    for state in _states(table):
        for event in _events(table):
            outcome = table.apply(state, event)
            assert isinstance(outcome, Applied | AlreadyThere | NotAllowed)
            if isinstance(outcome, Applied):
                assert outcome.state is table.transitions[state, event]
                assert table.apply(outcome.state, event) == AlreadyThere(outcome.state)
            else:
                assert outcome.state is state


@each_table
def test_the_table_cannot_be_changed(table: Lifecycle[Any, Any]) -> None:
    with pytest.raises(TypeError):
        table.transitions[next(iter(table.transitions))] = None  # type: ignore[index]


def test_finished_operations_and_sessions_never_move() -> None:
    by_name = {table.name: table for table in TABLES}
    assert {s.value for s in by_name["operation"].terminal} == {"succeeded", "failed", "expired"}
    assert {s.value for s in by_name["checkout_session"].terminal} == {
        "completed_reconciled",
        "expired",
        "abandoned",
    }
    assert {s.value for s in by_name["webhook_event"].terminal} == {"processed", "ignored"}


class Door(StrEnum):
    OPEN = "open"
    SHUT = "shut"


class Push(StrEnum):
    CLOSE = "close"
    KICK = "kick"


def test_the_gate_tells_applied_from_repeated_from_refused() -> None:
    table = lifecycle(
        name="door", initial={Door.OPEN}, transitions={(Door.OPEN, Push.CLOSE): Door.SHUT}
    )
    assert table.apply(Door.OPEN, Push.CLOSE) == Applied(Door.SHUT)
    assert table.apply(Door.SHUT, Push.CLOSE) == AlreadyThere(Door.SHUT)
    assert table.apply(Door.OPEN, Push.KICK) == NotAllowed(Door.OPEN, Push.KICK)
    assert table.terminal == {Door.SHUT}


def test_the_observational_table_of_subscriptions_knows_every_status() -> None:
    assert set(EXPECTED) == set(SubscriptionStatus)
    for status, expected in EXPECTED.items():
        assert status not in expected
        assert bool(expected) is (status not in TERMINAL)
    assert set(SubscriptionStatus) == CURRENT_CAPABLE | TERMINAL
    assert not CURRENT_CAPABLE & TERMINAL
    assert ENTITLING < CURRENT_CAPABLE
