"""The product's own decisions and transition tables, lifted to the model's small states.

Nothing of the protocol is retyped: rows are built as checkout and projection see them, handed to
their pure functions, and what comes back is folded into the model again. Each answer is computed
once per distinct question.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Final

from tests.model.world import OPEN, PAID, Op, Row

from billing_common.contracts.commands import StartSubscriptionCheckout
from billing_common.domain.checkout_session import (
    SESSION,
    CheckoutSession,
    SessionEvent,
    SessionFlow,
    SessionStatus,
)
from billing_common.domain.idempotency import (
    OPERATION,
    Action,
    FrozenRequest,
    Operation,
    OperationEvent,
    OperationStatus,
)
from billing_common.domain.lifecycle import Applied as Moved
from billing_common.domain.provider_objects import (
    Provenance,
    ProviderSession,
    ProviderSessionStatus,
)
from billing_common.domain.subscription import Subscription, SubscriptionStatus
from checkout.decisions.answers import Asked
from checkout.decisions.blockade import Evidence, decide_blockade
from checkout.decisions.checkout_params import SCHEMA_VERSION
from checkout.decisions.deadlines import EXPIRY_DISTANCE_MIN, session_deadlines
from checkout.decisions.finalisation import Binding, Standing, decide_standing
from checkout.decisions.frozen_request import freeze
from checkout.decisions.recovery import (
    RECOVERY_ATTEMPTS_MAX,
    End,
    FinishKnown,
    decide_hold,
    decide_recovery,
    hold_end,
)
from checkout.decisions.session_binding import bind_session, expiries
from checkout.decisions.situation import Admitted, Names, Situation
from checkout.decisions.subscription_checkout import decide_subscription_checkout
from projection.decisions.event import Applied, StripeEvent
from projection.decisions.sessions import fold_session, reconcile_sessions
from projection.decisions.state import EntityState

PENDING: Final = OperationStatus.PENDING.value
SUCCEEDED: Final = OperationStatus.SUCCEEDED.value
ROW_OPEN: Final = SessionStatus.OPEN.value
ROW_PAID: Final = SessionStatus.COMPLETED_PENDING_SUBSCRIPTION.value
ROW_DONE: Final = SessionStatus.COMPLETED_RECONCILED.value
ROW_HOLD: Final = SessionStatus.RECOVERY_VERIFICATION_PENDING.value
ROW_EXPIRED: Final = SessionStatus.EXPIRED.value
ROW_ABANDONED: Final = SessionStatus.ABANDONED.value

NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
PROVENANCE: Final = Provenance("stripe", "stripe-python", "16.1.0", "2026-10-28.endive")
ENTITY: Final = 1


def _frozen_at(moment: datetime) -> FrozenRequest:
    return freeze(
        {"customer": "cus_1"},
        schema_version=SCHEMA_VERSION,
        provenance=PROVENANCE,
        deadlines=session_deadlines(moment),
        now=moment,
    )


def _ages() -> tuple[timedelta, ...]:
    """One moment inside each stretch of a frozen request's life, from the product's deadlines."""
    frozen = _frozen_at(NOW)
    bounds = (
        NOW,
        frozen.replay_deadline_at,
        frozen.session_expires_at_upper_bound - EXPIRY_DISTANCE_MIN,
        frozen.session_expires_at_upper_bound,
        hold_end(frozen),
        hold_end(frozen) + timedelta(hours=1),
    )
    assert list(bounds) == sorted(set(bounds)), "the deadlines are in this order"
    inside = pairwise(bounds)
    return tuple((first + (last - first) / 2) - NOW for first, last in inside)


# 0 fresh; 1 past the replay deadline; 2 Stripe refuses a late create, its expiry is too near;
# 3 Stripe has expired its sessions; 4 past the grace, and past the 24 h that keys live.
AGES: Final = _ages()
AGE_LAST: Final = len(AGES) - 1
LATE_CREATE_REFUSED: Final = 2
STRIPE_EXPIRES: Final = 3
KEYS_FORGOTTEN: Final = 4


def key_of(intent: int) -> str:
    """The operation key of an intent."""
    return f"{intent:064x}"


def url_of(session: int) -> str:
    """Where a session is paid."""
    return f"https://pay.example/{session}"


@cache
def frozen_of(age: int) -> FrozenRequest:
    """A request that has this age now."""
    return _frozen_at(NOW - AGES[age])


def _operation(intent: int, op: Op, age: int, *, is_tired: bool = False) -> Operation:
    return Operation(
        id=intent + 1,
        billable_entity_id=ENTITY,
        action=Action.CHECKOUT,
        flow="subscription",
        client_idempotency_key=f"click-{intent}",
        request_fingerprint_hash="f" * 64,
        operation_key=key_of(intent),
        provider="stripe",
        provider_idempotency_key=f"{intent}" * 64,
        status=OperationStatus(op.status),
        lease_version=1,
        lease_owner="worker" if op.is_leased else None,
        lease_expires_at=NOW + timedelta(seconds=30 if op.is_leased else -30),
        recovery_attempt_count=RECOVERY_ATTEMPTS_MAX if is_tired else 0,
        provider_attempt=op.key + 1,
        frozen=frozen_of(age),
        provider_session_id=None if op.session is None else f"cs_{op.session}",
        response_status=None if op.status == PENDING else 200,
        response_body=None if op.status == PENDING else b"{}",
        failure_code=None,
        created_at=frozen_of(age).frozen_at,
    )


def _stored(intent: int, row: Row, age: int) -> CheckoutSession:
    frozen = frozen_of(age)
    is_hold = row.status == ROW_HOLD
    is_paid = row.status in (ROW_PAID, ROW_DONE)
    has_url = row.status == ROW_OPEN and row.session is not None
    return CheckoutSession(
        id=intent + 1,
        billable_entity_id=ENTITY,
        provider="stripe",
        flow=SessionFlow.SUBSCRIPTION,
        operation_key=key_of(intent),
        idempotency_row_id=intent + 1,
        provider_checkout_session_id=None if row.session is None else f"cs_{row.session}",
        provider_customer_id="cus_1",
        provider_subscription_id=f"sub_{row.session}" if is_paid else None,
        status=SessionStatus(row.status),
        checkout_url=url_of(row.session) if has_url and row.session is not None else None,
        expires_at=hold_end(frozen) if is_hold else frozen.session_expires_at_upper_bound,
        completed_at=None,
        watermark=None,
        row_version=1,
    )


def _at_stripe(intent: int, session: int, status: str, age: int) -> ProviderSession:
    frozen = frozen_of(age)
    return ProviderSession(
        id=f"cs_{session}",
        status=ProviderSessionStatus(status),
        payment_status="paid" if status == PAID else "unpaid",
        mode="subscription",
        url=url_of(session) if status == OPEN else None,
        created_at=frozen.frozen_at,
        expires_at=frozen.session_expires_at_upper_bound,
        customer_id="cus_1",
        subscription_id=f"sub_{session}" if status == PAID else None,
        operation_key=key_of(intent),
        billable_entity_id=ENTITY,
    )


def _subscription(name: str, operation_key: str) -> Subscription:
    return Subscription(
        id=1,
        billable_entity_id=ENTITY,
        billing_customer_id=1,
        plan_id=1,
        provider="stripe",
        provider_subscription_id=name,
        status=SubscriptionStatus.ACTIVE,
        provider_subscription_created_at=NOW,
        current_period_start=None,
        current_period_end=None,
        trial_end=None,
        cancel_at=None,
        canceled_at=None,
        ended_at=None,
        cancel_at_period_end=False,
        is_current=True,
        operation_key=operation_key,
        watermark=None,
        row_version=1,
    )


def _subscriptions(subs: tuple[tuple[int, int], ...], *, foreign: bool) -> list[Subscription]:
    """`subs`: (session, intent)."""
    ours = [_subscription(f"sub_{session}", key_of(intent)) for session, intent in subs]
    return [*ours, _subscription("sub_foreign", "f" * 64)] if foreign else ours


def _row(stored: CheckoutSession) -> Row:
    name = stored.provider_checkout_session_id
    return Row(stored.status.value, None if name is None else int(name.removeprefix("cs_")))


def _sessions(rows: tuple[Row | None, ...], ages: tuple[int, ...]) -> tuple[CheckoutSession, ...]:
    return tuple(
        _stored(intent, row, ages[intent]) for intent, row in enumerate(rows) if row is not None
    )


@cache
def after(status: str, event: str) -> str:
    """Where the product's table takes an operation; unchanged when the pair is not in it."""
    outcome = OPERATION.apply(OperationStatus(status), OperationEvent(event))
    return outcome.state.value if isinstance(outcome, Moved) else status


@cache
def session_after(status: str, event: str) -> str | None:
    """Where the product's table takes a session row, or None."""
    outcome = SESSION.apply(SessionStatus(status), SessionEvent(event))
    return outcome.state.value if isinstance(outcome, Moved) else None


# What the provider said of a session in doubt: (its intent, the session, complete or expired).
Told = tuple[int, int, str]


@cache
def clear_way(
    ages: tuple[int, ...],
    rows: tuple[Row | None, ...],
    subs: tuple[tuple[int, int], ...],
    *,
    foreign: bool,
    evidence: tuple[Told, ...] | None,
) -> tuple[bool, tuple[int, ...], tuple[Row | None, ...]]:
    """Tx A: is it blocked, which intents are in doubt, and the rows as they are then stored."""
    told = (
        None if evidence is None else {key_of(i): _evidence(i, n, w, ages) for i, n, w in evidence}
    )
    blockade = decide_blockade(
        _sessions(rows, ages),
        subscriptions=_subscriptions(subs, foreign=foreign),
        evidence=told,
        now=NOW,
    )
    moved = {session.operation_key: _row(session) for session in blockade.moved}
    left = tuple(moved.get(key_of(intent), row) for intent, row in enumerate(rows))
    doubts = tuple(int(session.operation_key, 16) for session in blockade.doubts)
    return blockade.blocked is not None, doubts, left


def _evidence(intent: int, session: int, status: str, ages: tuple[int, ...]) -> Evidence:
    return Evidence(_at_stripe(intent, session, status, ages[intent]))


@cache
def may_buy(subs: tuple[tuple[int, int], ...], *, foreign: bool) -> bool:
    """Tx A: whether the subscriptions of the entity and the catalogue admit another checkout."""
    verdict = decide_subscription_checkout(
        Situation(
            payload=_PAYLOAD,
            gathered=(_Price(),),
            names=Names(ENTITY, key_of(0), 1),
            subscriptions=tuple(_subscriptions(subs, foreign=foreign)),
            provider_customer_id="cus_1",
            currency="usd",
            public_url="https://app.example.com",
            deadlines=session_deadlines(NOW),
            now=NOW,
        )
    )
    return isinstance(verdict, Admitted)


class _Price:
    provider_price_id = "price_1"
    currency = "usd"


_PAYLOAD: Final = StartSubscriptionCheckout(
    client_idempotency_key="click",
    request_fingerprint_hash="f" * 64,
    normalized_request={},
    plan_code="pro",
    success_path="/done",
    cancel_path="/billing",
)


@cache
def recover(intent: int, op: Op, age: int, *, is_tired: bool) -> tuple[object, ...]:
    """R1's choice: ("retrieve", session), ("repeat",) or ("end", event, has_hold)."""
    decision = decide_recovery(
        _operation(intent, op, age, is_tired=is_tired),
        provenance=PROVENANCE,
        schema_version=SCHEMA_VERSION,
        now=NOW,
    )
    match decision:
        case FinishKnown(name):
            return ("retrieve", int(name.removeprefix("cs_")))
        case End(event=event, hold_until=hold_until):
            return ("end", event.value, hold_until is not None)
        case _:
            return ("repeat",)


@cache
def finalise(
    intent: int,
    ages: tuple[int, ...],
    op: Op,
    rows: tuple[Row | None, ...],
    subs: tuple[tuple[int, int], ...],
    found: tuple[int, str],
    *,
    foreign: bool,
    is_fresh: bool,
) -> tuple[object, ...]:
    """Tx B: ("fenced",), ("stored", jobs) or ("close", op, row, jobs)."""
    operation = _operation(intent, op, ages[intent])
    at_stripe = _at_stripe(intent, found[0], found[1], ages[intent])
    standing = decide_standing(operation, lease_version=1 if is_fresh else 0)
    if standing is Standing.FENCED:
        return ("fenced",)
    if standing is Standing.FINISHED:
        is_loose = operation.provider_session_id != at_stripe.id
        return ("stored", tuple(found[0] for _ in expiries(at_stripe)) if is_loose else ())
    close = bind_session(
        Binding(
            operation=operation,
            subscriptions=tuple(_subscriptions(subs, foreign=foreign)),
            sessions=_sessions(rows, ages),
            found=at_stripe,
            asked=Asked(key_of(intent), "req_1"),
        )
    )
    assert close.session is not None
    row = _row(close.session)
    bound = close.provider_object_id
    closed = Op(
        after(PENDING, close.event.value),
        is_leased=False,
        session=None if bound is None else int(bound.removeprefix("cs_")),
        url=row.session is not None and url_of(row.session) in close.answer.body,
        key=op.key,
    )
    loose = tuple(int(one.provider_object_id.removeprefix("cs_")) for one in close.clean_ups)
    return ("close", closed, row, loose)


@cache
def hold(
    intent: int, op: Op, ages: tuple[int, ...], rows: tuple[Row | None, ...]
) -> tuple[Row | None, ...]:
    """The rows after an end behind a hold."""
    stored = decide_hold(
        _operation(intent, op, ages[intent]),
        sessions=_sessions(rows, ages),
        until=hold_end(frozen_of(ages[intent])),
    )
    if stored is None:
        return rows
    return (*rows[:intent], _row(stored), *rows[intent + 1 :])


def _entity_state(
    ages: tuple[int, ...],
    ops: tuple[Op | None, ...],
    rows: tuple[Row | None, ...],
    subs: tuple[tuple[int, int], ...],
) -> EntityState:
    return EntityState(
        billable_entity_id=ENTITY,
        billing_customer_id=1,
        provider_customer_id="cus_1",
        subscriptions={
            row.provider_subscription_id: row for row in _subscriptions(subs, foreign=False)
        },
        sessions={row.operation_key: row for row in _sessions(rows, ages)},
        operations={
            key_of(intent): _operation(intent, op, ages[intent])
            for intent, op in enumerate(ops)
            if op is not None
        },
    )


Rows = tuple[tuple[Op | None, ...], tuple[Row | None, ...]]


def _lowered(state: EntityState, ops: tuple[Op | None, ...]) -> Rows:
    moved = []
    for intent, op in enumerate(ops):
        after_event = state.operations.get(key_of(intent))
        if op is None or after_event is None or after_event.status.value == op.status:
            moved.append(op)
            continue
        bound = after_event.provider_session_id
        moved.append(
            Op(
                after_event.status.value,
                is_leased=False,
                session=None if bound is None else int(bound.removeprefix("cs_")),
                url=b"https://pay.example/" in (after_event.response_body or b""),
                key=op.key,
            )
        )
    rows = tuple(
        _row(found) if (found := state.sessions.get(key_of(intent))) is not None else None
        for intent in range(len(ops))
    )
    return tuple(moved), rows


@cache
def deliver(
    ages: tuple[int, ...],
    ops: tuple[Op | None, ...],
    rows: tuple[Row | None, ...],
    subs: tuple[tuple[int, int], ...],
    about: tuple[int, int, str],
) -> Rows:
    """A checkout.session event: `about` is (intent, session, status)."""
    intent, session, status = about
    word = "completed" if status == PAID else "expired"
    outcome = fold_session(
        _entity_state(ages, ops, rows, subs),
        StripeEvent(
            event_id=f"evt_{session}_{word}",
            type=f"checkout.session.{word}",
            created_at=NOW,
            object=_at_stripe(intent, session, status, ages[intent]),
        ),
        _at_stripe(intent, session, status, ages[intent]),
    )
    return _lowered(outcome.state, ops) if isinstance(outcome, Applied) else (ops, rows)


@cache
def reconcile(
    ages: tuple[int, ...],
    ops: tuple[Op | None, ...],
    rows: tuple[Row | None, ...],
    subs: tuple[tuple[int, int], ...],
) -> Rows:
    """After a subscription of `subs` has become known."""
    return _lowered(reconcile_sessions(_entity_state(ages, ops, rows, subs)), ops)


@cache
def is_blocking(row: Row, age: int) -> bool:
    """Whether the row keeps the entity from another subscription checkout."""
    return _stored(0, row, age).is_blocking(NOW)
