"""Every step that anybody can take next: workers, Stripe, the network, time, events, customers.

A worker's step is one transaction or one half of one call, so every commit and every await is a
boundary at which it may stop for ever (a crash, a timeout and a pause that never ends are the same
to everybody else) or be overtaken by anything. Nothing bounds how often that happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from tests.model import rules
from tests.model.world import (
    EXPIRED,
    IDLE,
    OPEN,
    PAID,
    SAVED_500,
    Op,
    Row,
    Session,
    Worker,
    World,
    put,
    with_item,
    without,
)

from billing_common.domain.idempotency import OperationEvent

REFUSED: Final = OperationEvent.REFUSED.value
ELAPSED: Final = OperationEvent.WINDOW_ELAPSED.value
_PREFERENCE: Final = {PAID: 0, OPEN: 1, EXPIRED: 2}


@dataclass(frozen=True, slots=True)
class Setup:
    """How large a world, and which troubles there are. `bugs` are seeded, see bugs.py.

    sessions_max    creates beyond it do not reach Stripe (per intent)
    zombies_max     requests under way that nobody waits for
    keys            the length of an operation's key series
    forgotten_from  the age from which Stripe may forget a key
    has_tiredness   recovery may give up long before the deadline
    """

    workers: int = 2
    intents: int = 1
    keys: int = 1
    sessions_max: int = 2
    zombies_max: int = 1
    forgotten_from: int = rules.KEYS_FORGOTTEN
    has_server_errors: bool = True
    has_refusals: bool = True
    has_foreign_subscription: bool = False
    has_dashboard: bool = False
    has_events: bool = True
    has_tiredness: bool = False
    bugs: frozenset[str] = frozenset()

    def with_bugs(self, *names: str) -> Setup:
        return replace(self, bugs=frozenset(names))


class Step(NamedTuple):
    """`is_benign`: it also happens when nothing goes wrong any more."""

    label: str
    world: World
    is_benign: bool = True


def steps(setup: Setup, world: World) -> Iterator[Step]:
    """All that can happen next. Worlds that nothing distinguishes come out equal."""
    yield from _time(world)
    yield from _leases(world)
    yield from _answers(setup, world)
    yield from _customers(setup, world)
    yield from _jobs(world)
    if setup.has_events:
        yield from _events(setup, world)
    yield from _zombies(setup, world)
    seen: set[Worker] = set()
    for number, worker in enumerate(world.workers):
        if worker in seen:
            continue  # an equal worker would do exactly the same
        seen.add(worker)
        if worker is IDLE or worker == IDLE:
            yield from _begin(setup, world, number)
        else:
            yield from _work(setup, world, number, worker)


# -- what happens by itself ---------------------------------------------------------------------


def _time(world: World) -> Iterator[Step]:
    """Intents are begun in order, so an earlier one is never younger."""
    begun = [intent for intent, op in enumerate(world.ops) if op is not None]
    for first in begun:
        for last in begun[begun.index(first) :]:
            ages = list(world.ages)
            for intent in range(first, last + 1):
                ages[intent] += 1
            if max(ages) > rules.AGE_LAST or ages != sorted(ages, reverse=True):
                continue
            stripe = tuple(
                session._replace(status=EXPIRED)
                if session.status == OPEN and ages[session.intent] >= rules.STRIPE_EXPIRES
                else session
                for session in world.stripe
            )
            yield Step("time passes", world._replace(ages=tuple(ages), stripe=stripe))


def _leases(world: World) -> Iterator[Step]:
    for intent, op in enumerate(world.ops):
        if op is not None and op.is_leased:
            ended = put(world.ops, intent, op._replace(is_leased=False))
            yield Step(f"the lease of intent {intent} ends", world._replace(ops=ended))


def _answers(setup: Setup, world: World) -> Iterator[Step]:
    """The stored answer goes out: by its worker, or whenever the client asks again."""
    for intent, op in enumerate(world.ops):
        if op is not None and op.url and op.session is not None:
            session = world.stripe[op.session]
            if not session.is_out:
                out = put(world.stripe, op.session, session._replace(is_out=True))
                label = f"intent {intent} is answered with the URL of session {op.session}"
                yield Step(label, world._replace(stripe=out))


def _customers(setup: Setup, world: World) -> Iterator[Step]:
    for number, session in enumerate(world.stripe):
        if session.status != OPEN:
            continue
        if session.is_out:
            paid = put(world.stripe, number, session._replace(status=PAID))
            label = f"the customer pays session {number}"
            yield Step(label, world._replace(stripe=paid), is_benign=False)
        if setup.has_dashboard:
            ended = put(world.stripe, number, session._replace(status=EXPIRED))
            label = f"somebody expires session {number} in the dashboard"
            yield Step(label, world._replace(stripe=ended), is_benign=False)
    if setup.has_foreign_subscription and not world.foreign:
        yield Step("another subscription appears", world._replace(foreign=True), is_benign=False)


def _jobs(world: World) -> Iterator[Step]:
    for number in world.jobs:
        session = world.stripe[number]
        stripe = world.stripe
        if session.status == OPEN:
            stripe = put(stripe, number, session._replace(status=EXPIRED))
        done = world._replace(jobs=without(world.jobs, number), stripe=stripe)
        yield Step(f"the job expires session {number}", done)


def known_subscriptions(world: World) -> tuple[tuple[int, int], ...]:
    """(session, intent) of the subscriptions in our tables."""
    return tuple((number, world.stripe[number].intent) for number in world.subs)


def _events(setup: Setup, world: World) -> Iterator[Step]:
    """Delivered in any order, any number of times, or never."""
    subs = known_subscriptions(world)
    for number, session in enumerate(world.stripe):
        if session.status == OPEN:
            continue
        about = (session.intent, number, session.status)
        ops, rows = rules.deliver(world.ages, world.ops, world.rows, subs, about)
        if "event_ignores_status" in setup.bugs and session.status == EXPIRED:
            op = world.ops[session.intent]
            if op is not None:
                ended = Op(rules.after(rules.PENDING, ELAPSED), False, number, False, op.key)
                ops = put(world.ops, session.intent, ended)
        if (ops, rows) != (world.ops, world.rows):
            label = f"the event tells that session {number} is {session.status}"
            yield Step(label, world._replace(ops=ops, rows=rows))
        if session.status == PAID and number not in world.subs:
            with_sub = world._replace(subs=with_item(world.subs, number))
            ops, rows = rules.reconcile(
                world.ages, world.ops, world.rows, known_subscriptions(with_sub)
            )
            label = f"the event brings the subscription of session {number}"
            yield Step(label, with_sub._replace(ops=ops, rows=rows))


# -- Stripe -------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """What Stripe did with a create: ("session", number), ("replay", what), ("refused",), ..."""

    word: str
    world: World
    what: int | None = None
    is_benign: bool = True


def _create(setup: Setup, world: World, intent: int, key: int) -> Iterator[Outcome]:
    saved = world.keys[intent][key]
    if saved is not None:
        yield Outcome("replay", world, saved)
        return
    if world.refused[intent] or world.ages[intent] >= rules.LATE_CREATE_REFUSED:
        yield Outcome("refused", world)
        return
    is_first = not any(session.intent == intent for session in world.stripe) and not any(
        what is not None for what in world.keys[intent]
    )
    if setup.has_refusals and is_first:
        refused = world._replace(refused=put(world.refused, intent, True))
        yield Outcome("refused", refused, is_benign=False)
    made = sum(session.intent == intent for session in world.stripe)
    number = len(world.stripe)

    def saving(what: int) -> tuple[tuple[int | None, ...], ...]:
        return put(world.keys, intent, put(world.keys[intent], key, what))

    if made < setup.sessions_max:
        stripe = (*world.stripe, Session(intent, OPEN, False))
        yield Outcome("session", world._replace(stripe=stripe, keys=saving(number)), number)
        if setup.has_server_errors:
            sticky = world._replace(stripe=stripe, keys=saving(SAVED_500))
            yield Outcome("500 after executing", sticky, is_benign=False)
    if setup.has_server_errors:
        yield Outcome("500", world._replace(keys=saving(SAVED_500)), is_benign=False)


def _zombies(setup: Setup, world: World) -> Iterator[Step]:
    for zombie in dict.fromkeys(world.zombies):
        intent, key = zombie
        left = world._replace(zombies=without(world.zombies, zombie))
        yield Step(f"a late create of intent {intent} is lost", left)
        for outcome in _create(setup, left, intent, key):
            if outcome.world != left:
                label = f"a late create of intent {intent} arrives: {outcome.word}"
                yield Step(label, outcome.world)
    for intent, keys in enumerate(world.keys):
        if world.ages[intent] >= setup.forgotten_from:
            for key, saved in enumerate(keys):
                if saved is not None:
                    forgotten = put(world.keys, intent, put(keys, key, None))
                    label = f"Stripe forgets key {key} of intent {intent}"
                    yield Step(label, world._replace(keys=forgotten), is_benign=False)


# -- workers ------------------------------------------------------------------------------------


def _with_worker(world: World, number: int, worker: Worker) -> World:
    return world._replace(workers=tuple(sorted(put(world.workers, number, worker), key=repr)))


def _begin(setup: Setup, world: World, number: int) -> Iterator[Step]:
    for intent, op in enumerate(world.ops):
        if op is None:
            if intent == 0 or world.ops[intent - 1] is not None:
                yield from _claim(setup, world, number, intent)
        elif op.status == rules.PENDING and not op.is_leased:
            yield _take_over(setup, world, number, intent, op)
            if setup.has_tiredness:
                tired = _take_over(setup, world, number, intent, op, is_tired=True)
                yield tired._replace(is_benign=False)


def _claim(setup: Setup, world: World, number: int, intent: int) -> Iterator[Step]:
    is_taken = any(op is not None and op.status == rules.PENDING for op in world.ops)
    if is_taken and "two_may_be_pending" not in setup.bugs:
        return
    yield from _tx_a(setup, world, number, intent, None)


def _tx_a(
    setup: Setup, world: World, number: int, intent: int, evidence: tuple[rules.Told, ...] | None
) -> Iterator[Step]:
    if "frees_at_lapse" in setup.bugs:
        world = _free_at_lapse(world)
    subs = known_subscriptions(world)
    is_blocked, doubts, rows = rules.clear_way(
        world.ages, world.rows, subs, foreign=world.foreign, evidence=evidence
    )
    done = _with_worker(world, number, IDLE)._replace(rows=rows)
    if doubts:
        asking = ("verify", intent, True, doubts[0])
        label = f"Tx A: intent {doubts[0]} is in doubt, w asks Stripe first"
        yield Step(label, _with_worker(world._replace(rows=rows), number, asking))
    elif is_blocked and "blocks_are_ignored" not in setup.bugs:
        yield Step(f"Tx A: intent {intent} is blocked", done)
    elif not rules.may_buy(subs, foreign=world.foreign):
        ended = Op(rules.after(rules.PENDING, REFUSED), False, None, False)
        refused = done._replace(ops=put(world.ops, intent, ended))
        yield Step(f"Tx A refuses intent {intent}", refused)
    else:
        claimed = put(world.ops, intent, Op(rules.PENDING, True, None, False))
        worker = ("create", intent, True, 0, True, 1)
        begun = _with_worker(done, done.workers.index(IDLE), worker)._replace(ops=claimed)
        yield Step(f"w claims intent {intent} (Tx A)", begun)


def _free_at_lapse(world: World) -> World:
    rows = tuple(
        Row(rules.ROW_EXPIRED, row.session)
        if row is not None
        and row.status == rules.ROW_OPEN
        and not rules.is_blocking(row, world.ages[intent])
        else row
        for intent, row in enumerate(world.rows)
    )
    return world._replace(rows=rows)


def _verify(world: World, number: int, worker: Worker) -> Iterator[Step]:
    """By the id that is bound, or for a hold by listing. What is still open is expired, one by
    one; then Tx A again, with what was learned."""
    _, intent, _, doubt = worker
    assert isinstance(doubt, int)
    row = world.rows[doubt]
    bound = None if row is None else row.session
    ours = [n for n, s in enumerate(world.stripe) if s.intent == doubt and bound in (None, n)]
    ours.sort(key=lambda n: (_PREFERENCE[world.stripe[n].status], n))
    seen = tuple((n, world.stripe[n].status) for n in ours)
    asked = ("learn", intent, True, doubt, seen)
    yield Step(f"w asks Stripe about intent {doubt}", _with_worker(world, number, asked))


def _learn(setup: Setup, world: World, number: int, worker: Worker) -> Iterator[Step]:
    _, intent, _, doubt, seen = worker
    assert isinstance(seen, tuple)
    assert isinstance(intent, int)
    assert isinstance(doubt, int)
    for place, (session, status) in enumerate(seen):
        if status != OPEN:
            continue
        stripe, now = world.stripe, world.stripe[session].status
        if now == OPEN:
            now = EXPIRED
            stripe = put(stripe, session, stripe[session]._replace(status=now))
        told = ("learn", intent, True, doubt, put(seen, place, (session, now)))
        expired = world._replace(stripe=stripe)
        label = f"w expires session {session}: {now}"
        yield Step(label, _with_worker(expired, number, told))
        if stripe != world.stripe:
            lost = _with_worker(expired, number, IDLE)
            yield Step(label + ", and the answer is lost", lost, is_benign=False)
        return
    paid = [one for one in seen if one[1] == PAID]
    evidence = tuple((doubt, *one) for one in (paid or list(seen))[:1])
    yield from _tx_a(setup, world, number, intent, evidence)


def _take_over(
    setup: Setup, world: World, number: int, intent: int, op: Op, *, is_tired: bool = False
) -> Step:
    """R1: the lease version grows, so every other holder is stale from now on."""
    stale = tuple(
        (worker[0], worker[1], False, *worker[3:])
        if len(worker) > 1 and worker[1] == intent and worker[0] not in ("verify", "learn")
        else worker
        for worker in world.workers
    )
    taken = world._replace(workers=stale, ops=put(world.ops, intent, op._replace(is_leased=True)))
    choice = rules.recover(intent, op, world.ages[intent], is_tired=is_tired)
    worker: Worker
    match choice:
        case ("retrieve", session):
            worker = ("retrieve", intent, True, session, False)
        case ("end", event, has_hold):
            has_hold = has_hold and "no_hold" not in setup.bugs
            worker = ("look" if has_hold else "end", intent, True, event, has_hold)
        case _:
            worker = ("create", intent, True, op.key, False, 1)
    if "absence_is_failure" in setup.bugs and choice == ("repeat",):
        ours = [n for n, session in enumerate(world.stripe) if session.intent == intent]
        if not ours:
            worker = ("end", intent, True, REFUSED, False)
    return Step(
        f"w takes intent {intent} over (R1): {choice[0]}", _with_worker(taken, number, worker)
    )


def _work(setup: Setup, world: World, number: int, worker: Worker) -> Iterator[Step]:
    kind, intent = str(worker[0]), int(worker[1])  # type: ignore[call-overload]
    gone = _with_worker(world, number, IDLE)
    yield Step(f"w stops at {kind} of intent {intent}", gone, is_benign=False)
    match kind:
        case "create":
            yield from _send_create(setup, world, number, worker)
        case "retrieve":
            yield _retrieve(world, number, worker)
        case "list" | "look" | "others":
            yield from _list(setup, world, number, worker)
        case "verify":
            yield from _verify(world, number, worker)
        case "learn":
            yield from _learn(setup, world, number, worker)
        case "found":
            yield from _tx_b(setup, world, number, worker)
        case "end":
            yield from _end(setup, world, number, worker)


def _send_create(setup: Setup, world: World, number: int, worker: Worker) -> Iterator[Step]:
    _, intent, is_fresh, key, is_first, call = worker
    assert isinstance(intent, int)
    assert isinstance(key, int)
    gone = _with_worker(world, number, IDLE)
    if len(world.zombies) < setup.zombies_max:
        late = gone._replace(zombies=tuple(sorted((*world.zombies, (intent, key)))))
        label = f"w stops waiting, the create of intent {intent} is still under way"
        yield Step(label, late, is_benign=False)
        if "timeout_is_failure" in setup.bugs:
            failed = _with_worker(
                late, late.workers.index(IDLE), ("end", intent, is_fresh, REFUSED, False)
            )
            yield Step("w's call times out: it decides FAILED", failed, is_benign=False)
    if is_first and setup.has_refusals:
        ending = ("end", intent, is_fresh, REFUSED, False)
        refused = _with_worker(world, number, ending)
        yield Step("Stripe refuses w at the door", refused, is_benign=False)
    for outcome in _create(setup, world, intent, key):
        label = f"Stripe answers the create of intent {intent}: {outcome.word}"
        if outcome.world != world:
            lost = _with_worker(outcome.world, number, IDLE)
            yield Step(label + ", and the answer is lost", lost, is_benign=False)
        match outcome.word, outcome.what:
            case "session", int(session):
                kind = "others" if key else "found"
                next_worker: Worker = (kind, intent, is_fresh, session, OPEN, ())
            case "replay", int(session) if session != SAVED_500:
                next_worker = ("retrieve", intent, is_fresh, session, key)
            case "replay", _:
                next_worker = ("list", intent, is_fresh, key, call)
            case "refused", _:
                next_worker = ("end", intent, is_fresh, REFUSED, False)
            case _:
                next_worker = IDLE
        answered = _with_worker(outcome.world, number, next_worker)
        yield Step(label, answered, outcome.is_benign)
        if outcome.word.startswith("500"):
            told = _with_worker(outcome.world, number, ("list", intent, is_fresh, key, call))
            yield Step(label + ", not to be retried", told, is_benign=False)
        if "url_before_bind" in setup.bugs and outcome.word == "session":
            shown = outcome.world.stripe[outcome.what]._replace(is_out=True)  # type: ignore[index]
            early = answered._replace(stripe=put(answered.stripe, outcome.what or 0, shown))
            yield Step(label + ", and its URL goes out at once", early)


def _retrieve(world: World, number: int, worker: Worker) -> Step:
    _, intent, is_fresh, session, key = worker
    assert isinstance(session, int)
    kind = "others" if key else "found"
    found = (kind, intent, is_fresh, session, world.stripe[session].status, ())
    return Step(f"w retrieves session {session}", _with_worker(world, number, found))


def _list(setup: Setup, world: World, number: int, worker: Worker) -> Iterator[Step]:
    """`list` after a stored 5xx, `look` before a hold, `others` after a later key of the series:
    then the session that was found stays first, whatever else is there."""
    kind, intent, is_fresh, what, more = worker[:5]
    ours = sorted(
        (n for n, session in enumerate(world.stripe) if session.intent == intent),
        key=lambda n: (_PREFERENCE[world.stripe[n].status], n),
    )
    if kind == "others":
        ours.remove(what)  # type: ignore[arg-type]
        loose = tuple(n for n in ours if world.stripe[n].status == OPEN)
        found = ("found", intent, is_fresh, what, more, loose)
        yield Step("w looks for others of the intent", _with_worker(world, number, found))
    elif ours:
        loose = tuple(n for n in ours[1:] if world.stripe[n].status == OPEN)
        found = ("found", intent, is_fresh, ours[0], world.stripe[ours[0]].status, loose)
        yield Step(f"w finds session {ours[0]} by listing", _with_worker(world, number, found))
    elif kind == "look":
        ending = ("end", intent, is_fresh, what, more)
        yield Step("w lists nothing before the hold", _with_worker(world, number, ending))
    elif "absence_is_failure" in setup.bugs:
        ending = ("end", intent, is_fresh, REFUSED, False)
        yield Step("w lists nothing and decides FAILED", _with_worker(world, number, ending))
    else:
        yield _next_key(setup, world, number, worker)


def _next_key(setup: Setup, world: World, number: int, worker: Worker) -> Step:
    """Stored before it is sent, under the lease; at most two calls in one go."""
    _, intent, is_fresh, key, call = worker
    assert isinstance(intent, int)
    assert isinstance(key, int)
    op = world.ops[intent]
    is_ours = op is not None and op.status == rules.PENDING and is_fresh and op.key == key
    if op is None or not is_ours or call != 1 or key + 1 >= setup.keys:
        return Step("w lists nothing and leaves it", _with_worker(world, number, IDLE))
    stored = world._replace(ops=put(world.ops, intent, op._replace(key=key + 1)))
    again = ("create", intent, is_fresh, key + 1, False, 2)
    return Step(f"w lists nothing and stores key {key + 1}", _with_worker(stored, number, again))


def _tx_b(setup: Setup, world: World, number: int, worker: Worker) -> Iterator[Step]:
    _, intent, is_fresh, session, status, loose = worker
    assert isinstance(intent, int)
    assert isinstance(session, int)
    assert isinstance(loose, tuple)
    op = world.ops[intent]
    assert op is not None
    believed = op
    if "no_fence" in setup.bugs:
        is_fresh = True
    if "no_status_guard" in setup.bugs and op.status != rules.PENDING:
        believed = Op(rules.PENDING, True, op.session, False, op.key)
    decision = rules.finalise(
        intent,
        world.ages,
        believed,
        world.rows,
        known_subscriptions(world),
        (session, str(status)),
        foreign=world.foreign,
        is_fresh=bool(is_fresh),
    )
    done = _with_worker(world, number, IDLE)
    match decision:
        case ("fenced",):
            yield Step(f"Tx B of intent {intent} is fenced", done)
        case ("stored", jobs):
            assert isinstance(jobs, tuple)
            label = f"Tx B of intent {intent} answers what is stored"
            yield Step(label, _with_jobs(setup, done, (*jobs, *loose)))
        case ("close", Op() as closed, Row() as row, jobs):
            assert isinstance(jobs, tuple)
            bound = done._replace(
                ops=put(done.ops, intent, closed), rows=put(done.rows, intent, row)
            )
            yield Step(
                f"Tx B ends intent {intent} as {closed.status}, session row {row.status}",
                _with_jobs(setup, bound, (*jobs, *loose)),
            )


def _with_jobs(setup: Setup, world: World, sessions: tuple[int, ...]) -> World:
    if "no_expiry_job" in setup.bugs:
        return world
    jobs = world.jobs
    for session in sessions:
        jobs = with_item(jobs, session)
    return world._replace(jobs=jobs)


def _end(setup: Setup, world: World, number: int, worker: Worker) -> Iterator[Step]:
    _, intent, is_fresh, event, has_hold = worker
    assert isinstance(intent, int)
    op = world.ops[intent]
    assert op is not None
    done = _with_worker(world, number, IDLE)
    is_pending = op.status == rules.PENDING or "no_status_guard" in setup.bugs
    if not is_pending or (not is_fresh and "no_fence" not in setup.bugs):
        yield Step(f"the end of intent {intent} is fenced", done)
        return
    rows = rules.hold(intent, op, world.ages, world.rows) if has_hold else world.rows
    ended = Op(rules.after(rules.PENDING, str(event)), False, op.session, False, op.key)
    yield Step(
        f"w ends intent {intent} as {ended.status}" + (" behind a hold" if has_hold else ""),
        done._replace(ops=put(done.ops, intent, ended), rows=rows),
    )
