"""Roads through the write path that together pass every point. Data: how each begins and ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import event, insert, update
from sqlalchemy.exc import OperationalError
from tests.crash.scene import Scene
from tests.integration.checkout.desk import CREATE_CUSTOMER, operations, sessions
from tests.integration.checkout.test_payment_links import AD_HOC, sell

from billing_common.contracts.commands import (
    Command,
    CreatePaymentLink,
    DeactivatePaymentLink,
    OpenPortal,
)
from billing_common.domain.errors import TransientError
from billing_common.domain.provider_objects import ProviderCustomer, ProviderSession
from billing_common.domain.provider_outcome import ProviderFailure
from billing_common.settings import STRIPE_API_VERSION
from billing_common.storage.tables import billing_customers
from billing_common.stripe_api.client import StripeProvider
from billing_common.stripe_api.port import Answer
from checkout.handlers.commands import handle_command

LIST_SESSIONS: Final = "checkout.sessions.list"
EXPIRE_SESSION: Final = "checkout.sessions.expire"

Act = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`prepare` is not watched, `act` is. `ends`: the status of the operation of "click";
    `after_death`: how else it may end when its worker dies on the way."""

    name: str
    act: Act
    ends: str | None = "succeeded"
    prepare: Act | None = None
    after_death: tuple[str | None, ...] = ()


async def buy(scene: Scene) -> None:
    await scene.receive(scene.start())


async def leave_pending(scene: Scene) -> None:
    """Stripe made the session, and its answer was lost."""
    scene.desk.fault("drop_after")
    await buy(scene)


async def recover(scene: Scene) -> None:
    await scene.recover()


async def buy_and_recover(scene: Scene) -> None:
    await buy(scene)
    await scene.recover()


async def _stored_server_error(scene: Scene) -> None:
    scene.desk.fault("error_after")


async def _customer_trouble(scene: Scene) -> None:
    scene.desk.fault("rate_limit", CREATE_CUSTOMER)
    scene.desk.fault("error_saved", CREATE_CUSTOMER)


async def _pending_past_its_deadline(scene: Scene) -> None:
    """Nothing was made, as far as anybody can see."""
    scene.desk.fault("drop_before")
    await buy(scene)
    await _set(scene, provider_idempotency_replay_deadline_at=datetime.now(UTC))


async def _made_and_past_its_deadline(scene: Scene) -> None:
    await leave_pending(scene)
    await _set(scene, provider_idempotency_replay_deadline_at=datetime.now(UTC))


async def _pending_and_bound(scene: Scene) -> None:
    """An earlier version of us bound the session on the row before Tx B."""
    await leave_pending(scene)
    (found,) = scene.at_stripe()
    await _set(scene, provider_session_id=found["id"])


async def _pending_beside_another_subscription(scene: Scene) -> None:
    await leave_pending(scene)
    desk = replace(scene.desk, entity_id=scene.entity_id)
    await desk.add_subscription(operation_key="e" * 64)


async def _buy_with_another_key(scene: Scene) -> None:
    await scene.receive(scene.start("other"))


async def _unknown_plan(scene: Scene) -> None:
    await scene.receive(scene.start(plan_code="nonsense"))


async def _customer_of_nobody(scene: Scene) -> None:
    now = datetime.now(UTC)
    async with scene.desk.test_database.engine.begin() as connection:
        await connection.execute(
            insert(billing_customers).values(
                billable_entity_id=scene.entity_id,
                provider="stripe",
                provider_customer_id=f"cus_{scene.entity_id}",
                created_at=now,
                updated_at=now,
            )
        )


async def _refused_by_stripe(scene: Scene) -> None:
    stranger = scene.desk.provider(secret_key="sk_test_not_accepted")
    await scene.receive(scene.start(), context=replace(scene.context, provider=stranger))


class Meddling(StripeProvider):
    """The real client; somebody else does something while its holder waits for Stripe."""

    def __init__(self, *, meddle: Callable[[], Awaitable[None]], **settings: Any) -> None:
        super().__init__(**settings)
        self._meddle = meddle

    async def create_checkout_session(
        self, params_json: str, *, idempotency_key: str
    ) -> Answer[ProviderSession] | ProviderFailure:
        answer = await super().create_checkout_session(params_json, idempotency_key=idempotency_key)
        await self._meddle()
        return answer

    async def create_customer(
        self, params: Any, *, idempotency_key: str
    ) -> Answer[ProviderCustomer] | ProviderFailure:
        answer = await super().create_customer(params, idempotency_key=idempotency_key)
        await self._meddle()
        return answer


def _buy_while(meddle: Act) -> Act:
    async def act(scene: Scene) -> None:
        provider = Meddling(
            meddle=lambda: meddle(scene),
            secret_key=scene.desk.double.api_key,
            api_version=STRIPE_API_VERSION,
            timeout_seconds=5,
            base_url=scene.desk.double.url,
        )
        scene.desk.providers.append(provider)
        await scene.receive(scene.start(), context=replace(scene.context, provider=provider))

    return act


async def _take_lease(scene: Scene) -> None:
    await _set(scene, lease_version=operations.c.lease_version + 1)


async def _give_up(scene: Scene) -> None:
    """Recovery comes past the deadline, learns nothing, and ends the operation behind a hold."""
    scene.desk.fault("rate_limit", LIST_SESSIONS)
    await _set(scene, provider_idempotency_replay_deadline_at=datetime.now(UTC))
    await scene.end_leases()
    for recovery in await scene.stalled():
        await handle_command(scene.desk.context, recovery)


async def _insert_customer(scene: Scene) -> None:
    if not await scene.rows(billing_customers):
        await _customer_of_nobody(scene)


async def _pending_and_bound_to_nothing(scene: Scene) -> None:
    await leave_pending(scene)
    await _set(scene, provider_session_id="cs_test_of_another_account")


async def _pending_and_left(scene: Scene) -> None:
    await leave_pending(scene)
    await scene.end_leases()


async def _lapsed(scene: Scene) -> None:
    """An earlier checkout that nobody finished, and whose end nobody told us."""
    await _buy_with_another_key(scene)
    (found,) = scene.at_stripe()
    scene.desk.double.call(lambda control: control.abandon(found["id"]))
    past = datetime.now(UTC) - timedelta(minutes=5)
    (row,) = await scene.rows(sessions)
    await scene.desk.set(sessions, row.id, expires_at=past)


async def _held(scene: Scene) -> None:
    """An earlier checkout ended behind a hold, and what it made shows only now."""
    scene.desk.fault("drop_after")
    await _buy_with_another_key(scene)
    await _set(scene, provider_idempotency_replay_deadline_at=datetime.now(UTC))
    scene.desk.fault("rate_limit", LIST_SESSIONS)
    await scene.recover()


async def _held_and_hard_to_expire(scene: Scene) -> None:
    await _held(scene)
    scene.desk.fault("drop_after", EXPIRE_SESSION)


async def _stored_error_and_nothing_made(scene: Scene) -> None:
    scene.desk.fault("error_saved")


async def _subscribed(scene: Scene) -> None:
    await _buy_with_another_key(scene)
    (found,) = scene.at_stripe()
    subscription_id = scene.desk.pay(found["id"])["subscription"]
    (row,) = await scene.rows(sessions)
    await scene.desk.set(sessions, row.id, status="completed_reconciled")
    desk = replace(scene.desk, entity_id=scene.entity_id)
    await desk.add_subscription(
        provider_subscription_id=subscription_id, operation_key=row.operation_key
    )


async def _open_portal(scene: Scene) -> None:
    desk = replace(scene.desk, entity_id=scene.entity_id)
    scene.main = desk.write("click", "portal", OpenPortal, return_path="/billing")
    await scene.receive(scene.main)


async def _make_link(scene: Scene, client_key: str = "click") -> Command:
    desk, code = replace(scene.desk, entity_id=scene.entity_id), f"sold-{scene.entity_id}"
    items = [{"kind": "product", "product_code": code, "quantity": 1}, AD_HOC]
    facts = {"items": items, "success_path": "/thanks"}
    return desk.write(client_key, "payment_link", CreatePaymentLink, **facts)


async def _link(scene: Scene) -> None:
    scene.main = await _make_link(scene)
    await scene.receive(scene.main)


async def _something_to_sell(scene: Scene) -> None:
    await sell(scene.desk, f"sold-{scene.entity_id}")


async def _link_whose_answer_was_lost(scene: Scene) -> None:
    await _something_to_sell(scene)
    scene.desk.fault("drop_after", "payment_links.create")
    await _link(scene)


async def _linked(scene: Scene) -> None:
    await _something_to_sell(scene)
    await scene.receive(await _make_link(scene, "other"))


async def _link_under_way(scene: Scene) -> None:
    """Stripe made it, its answer was lost: the operation that makes it is pending."""
    await _something_to_sell(scene)
    scene.desk.fault("drop_after", "payment_links.create")
    await scene.receive(await _make_link(scene, "other"))


async def _withdraw_link(scene: Scene) -> None:
    desk = replace(scene.desk, entity_id=scene.entity_id)
    link = await _make_link(scene, "other")
    scene.main = desk.write(
        "click",
        "payment_link_deactivation",
        DeactivatePaymentLink,
        payment_link_operation_key=link.operation_key,
    )
    await scene.receive(scene.main)


async def _customer_trouble_past_the_deadline(scene: Scene) -> None:
    scene.desk.fault("rate_limit", CREATE_CUSTOMER, times=3)
    soon = datetime.now(UTC) + timedelta(milliseconds=150)
    await scene.receive(scene.start(deadline_at=soon))


async def _refused_over_a_lost_commit(scene: Scene) -> None:
    with commit_fails(scene, nth=2):
        await _refused_by_stripe(scene)


async def _set(scene: Scene, **values: Any) -> None:
    async with scene.desk.test_database.engine.begin() as connection:
        await connection.execute(
            update(operations)
            .where(operations.c.billable_entity_id == scene.entity_id)
            .values(**values)
        )


class DriverError(Exception):
    """As the driver raises it: the number comes first."""


@contextmanager
def statement_fails(scene: Scene, number: int) -> Iterator[list[int]]:
    """The next claim is answered with this engine error; the list then holds 0."""
    left = [1]

    def executing(
        _connection: Any, _cursor: Any, statement: str, _values: Any, _context: Any, _many: bool
    ) -> None:
        if left[0] and statement.startswith("INSERT INTO billing_request_idempotency"):
            left[0] -= 1
            raise OperationalError(statement, {}, DriverError(number, "made on purpose"))

    engine = scene.desk.test_database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", executing)
    try:
        yield left
    finally:
        event.remove(engine, "before_cursor_execute", executing)


@contextmanager
def rollback_fails(scene: Scene, claims_left: list[int]) -> Iterator[None]:
    """Once the claim has failed, the connection breaks under its ROLLBACK too."""
    left = [1]

    def rolling_back(_connection: Any) -> None:
        if claims_left[0] == 0 and left[0]:
            left[0] = 0
            raise ConnectionResetError("made on purpose")

    engine = scene.desk.test_database.engine.sync_engine
    event.listen(engine, "rollback", rolling_back)
    try:
        yield
    finally:
        event.remove(engine, "rollback", rolling_back)


@contextmanager
def commit_fails(scene: Scene, *, nth: int) -> Iterator[None]:
    """The connection breaks under the n-th COMMIT."""
    left = [nth]

    def committing(_connection: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise ConnectionResetError("made on purpose")

    engine = scene.desk.test_database.engine.sync_engine
    event.listen(engine, "commit", committing)
    try:
        yield
    finally:
        event.remove(engine, "commit", committing)


async def _buy_through_a_deadlock(scene: Scene) -> None:
    with statement_fails(scene, 1213):
        await buy(scene)


async def _buy_through_a_deadlock_twice_unlucky(scene: Scene) -> None:
    with statement_fails(scene, 1213) as left, rollback_fails(scene, left):
        await buy(scene)


async def _buy_over_a_lost_connection(scene: Scene) -> None:
    with statement_fails(scene, 2013):
        await _patiently(scene)


def _losing_commit(nth: int) -> Act:
    async def act(scene: Scene) -> None:
        with commit_fails(scene, nth=nth):
            await _patiently(scene)

    return act


async def _patiently(scene: Scene) -> None:
    try:
        await buy(scene)
    except TransientError:
        return  # the consumer will deliver the command again


SCENARIOS: Final = (
    Scenario("purchase", buy),
    Scenario("customer trouble", buy, prepare=_customer_trouble),
    Scenario("the answer is lost", recover, prepare=leave_pending),
    Scenario("a stored server error", buy_and_recover, prepare=_stored_server_error),
    Scenario("past the deadline", recover, ends="expired", prepare=_pending_past_its_deadline),
    Scenario("found at the last look", recover, prepare=_made_and_past_its_deadline),
    Scenario("bound before", recover, prepare=_pending_and_bound),
    Scenario(
        "another subscription",
        recover,
        ends="failed",
        prepare=_pending_beside_another_subscription,
    ),
    Scenario("replay", buy, prepare=buy),
    Scenario("another one has lapsed", buy, prepare=_lapsed),
    Scenario("another one is held", buy, prepare=_held),
    Scenario("another one is held and hard to expire", buy, prepare=_held_and_hard_to_expire),
    Scenario(
        "a stored server error, nothing made",
        buy_and_recover,
        prepare=_stored_error_and_nothing_made,
    ),
    Scenario("a visit to the portal", _open_portal, prepare=_subscribed),
    Scenario("a payment link", _link, prepare=_something_to_sell),
    Scenario("a payment link, its answer lost", recover, prepare=_link_whose_answer_was_lost),
    Scenario("a payment link is withdrawn", _withdraw_link, prepare=_linked),
    Scenario(
        "a payment link is withdrawn too early",
        _withdraw_link,
        ends=None,
        prepare=_link_under_way,
        after_death=("succeeded",),
    ),
    Scenario("blocked", buy, ends=None, prepare=_buy_with_another_key),
    Scenario("another key meanwhile", _buy_with_another_key, prepare=leave_pending),
    Scenario("unknown plan", _unknown_plan, ends="failed"),
    Scenario("refused by Stripe", _refused_by_stripe, ends="failed", prepare=_customer_of_nobody),
    Scenario("overtaken", _buy_while(_take_lease)),
    Scenario("ended meanwhile", _buy_while(_give_up), ends="expired"),
    Scenario("customer made meanwhile", _buy_while(_insert_customer), ends="failed"),
    Scenario("bound to nothing", recover, ends="failed", prepare=_pending_and_bound_to_nothing),
    Scenario("the client recovers", buy, prepare=_pending_and_left),
    Scenario("customer trouble, no time left", _customer_trouble_past_the_deadline, ends=None),
    Scenario(
        "COMMIT of an end lost",
        _refused_over_a_lost_commit,
        ends="failed",
        prepare=_customer_of_nobody,
    ),
    Scenario("deadlock, and a broken ROLLBACK", _buy_through_a_deadlock_twice_unlucky),
    Scenario("deadlock", _buy_through_a_deadlock),
    Scenario("connection lost", _buy_over_a_lost_connection),
    Scenario("COMMIT of Tx A lost", _losing_commit(2)),
    Scenario("COMMIT of Tx B lost", _losing_commit(3)),
)
