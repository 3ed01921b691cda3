"""What must hold in every state, over every step, and where every state must be able to go."""

from __future__ import annotations

from tests.model import rules
from tests.model.machine import Setup
from tests.model.world import IDLE, OPEN, PAID, World


def broken_state(setup: Setup, world: World) -> str | None:
    """The promise that this state breaks, or None."""
    paid = [session for session in world.stripe if session.status == PAID]
    if len(paid) > 1:
        same = len({session.intent for session in paid}) < len(paid)
        return "two live subscriptions for one " + ("intent" if same else "entity")
    payable = [s for s in world.stripe if s.status == OPEN and s.is_out]
    if len(payable) > 1:
        return "two sessions of one entity can be paid"
    for number, session in enumerate(world.stripe):
        op = world.ops[session.intent]
        if session.is_out and (op is None or op.session != number):
            return "the URL of a session left although it is not bound"
    return _false_outcome(world) or _left_open(world) or _free_too_early(setup, world)


def _false_outcome(world: World) -> str | None:
    for intent, op in enumerate(world.ops):
        row = world.rows[intent]
        if op is None:
            continue
        is_paid = any(s.intent == intent and s.status == PAID for s in world.stripe)
        if op.status not in (rules.PENDING, rules.SUCCEEDED) and is_paid:
            return f"false outcome: {op.status}, but its session was paid"
        if op.status == rules.SUCCEEDED and op.session is None:
            return "false outcome: succeeded without a session"
        if row is None or row.session is None:
            continue
        status = world.stripe[row.session].status
        if row.status in (rules.ROW_PAID, rules.ROW_DONE) and status != PAID:
            return f"false outcome: session row {row.status}, at Stripe {status}"
        if row.status in (rules.ROW_EXPIRED, rules.ROW_ABANDONED) and status == PAID:
            return f"false outcome: session row {row.status}, at Stripe it was paid"
    return None


def _left_open(world: World) -> str | None:
    for row in world.rows:
        if row is None or row.session is None or row.status != rules.ROW_ABANDONED:
            continue
        if world.stripe[row.session].status == OPEN and row.session not in world.jobs:
            return "a session that was given up stays open, and no job will expire it"
    return None


def is_free(world: World) -> bool:
    """Whether the entity may buy now."""
    if any(op is not None and op.status == rules.PENDING for op in world.ops):
        return False
    blocking = any(
        row is not None and rules.is_blocking(row, world.ages[intent])
        for intent, row in enumerate(world.rows)
    )
    return not blocking and not world.subs and not world.foreign


def _free_too_early(setup: Setup, world: World) -> str | None:
    """The entity may buy again while a session that nobody is about to expire is still open, or
    can still come into being. Not asked when keys are forgotten sooner than Stripe does."""
    if setup.forgotten_from < rules.KEYS_FORGOTTEN or not is_free(world):
        return None
    held = {worker[3] for worker in world.workers if worker[0] in ("found", "retrieve", "others")}
    held |= {n for worker in world.workers if worker[0] == "found" for n in worker[5]}  # type: ignore[attr-defined]
    for number, session in enumerate(world.stripe):
        if session.status == OPEN and number not in world.jobs and number not in held:
            return "the entity may buy again while a session of it is open at Stripe"
    return None


def broken_step(before: World, after: World) -> str | None:
    """The promise that this step breaks, or None."""
    for old, new in zip(before.ops, after.ops, strict=True):
        if old is not None and old.status != rules.PENDING and old != new:
            return "an operation that was finished has changed"
    for old_row, new_row in zip(before.rows, after.rows, strict=True):
        if old_row is None:
            continue
        if new_row is None or (old_row.session is not None and new_row.session != old_row.session):
            return "a session row was bound twice"
        is_terminal = old_row.status in (rules.ROW_DONE, rules.ROW_EXPIRED, rules.ROW_ABANDONED)
        if is_terminal and new_row.status != old_row.status:
            return "a session row left a terminal status"
    return None


def is_settled(world: World) -> bool:
    """Nothing is left to do: every intent has its end, nothing loose is open, no job waits, and
    what the rows say of the sessions is true."""
    if any(worker != IDLE for worker in world.workers) or world.jobs or world.zombies:
        return False
    for intent, op in enumerate(world.ops):
        if op is not None and op.status == rules.PENDING:
            return False
        row = world.rows[intent]
        if row is not None and rules.is_blocking(row, world.ages[intent]):
            is_true = row.session is not None and world.stripe[row.session].status == OPEN
            if row.status == rules.ROW_HOLD or (row.status == rules.ROW_OPEN and not is_true):
                return False
    bound = {op.session for op in world.ops if op is not None}
    return all(s.status != OPEN or n in bound for n, s in enumerate(world.stripe))
