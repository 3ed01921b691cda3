"""Things that must happen once at a second of their own, and that no field of an object tells.

A timer is a record beside its subject. Another `start` of the same kind for the same subject
replaces it; whoever acts on it checks that its reason still holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stripe_double.engine.records import Record
from stripe_double.engine.transactions import Transaction

COLLECTION = "billing_timer"
Action = Callable[[Transaction, Record], None]


def start(tx: Transaction, kind: str, subject: Record, *, at: int | None) -> None:
    """Let `kind` happen to `subject` at the second `at` of its clock; None: not any more."""
    timer_id = f"{subject['id']}:{kind}"
    if at is None and tx.store.find(COLLECTION, timer_id) is None:
        return
    tx.keep(
        COLLECTION,
        {
            "id": timer_id,
            "at": at,
            "collection": subject["object"],
            "kind": kind,
            "subject": subject["id"],
            "test_clock": subject["test_clock"],
        },
    )


def due(timer: Record) -> int | None:
    """The second at which the timer acts."""
    at: int | None = timer["at"]
    return at


def ring(tx: Transaction, timer: Record, actions: Mapping[str, Action]) -> None:
    """Do once what the timer is for, if its subject still exists."""
    tx.keep(COLLECTION, {**timer, "at": None})
    subject = tx.find(timer["collection"], timer["subject"])
    if subject is not None:
        actions[timer["kind"]](tx, subject)
