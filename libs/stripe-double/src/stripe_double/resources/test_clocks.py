"""Test clocks: a time of their own for some customers and all that belongs to them.

Advancing is answered at once (`advancing`); the double then lets everything that falls due on that
clock happen, each at its own second, and says `ready`. Events keep the double's own time, so that
lists and webhooks see them when they happen.
"""

from __future__ import annotations

from collections.abc import Mapping

from stripe_double.engine.deadlines import Deadline
from stripe_double.engine.errors import invalid_request, parameter_invalid, state_conflict
from stripe_double.engine.lifecycle import Lifecycle
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.clock_time import COLLECTION
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.periods import period_end
from stripe_double.resources.renewals import RULES as BILLING_RULES
from stripe_double.resources.subscription_ending import end_subscription
from stripe_double.resources.subscription_schedules import RULES as SCHEDULE_RULES
from stripe_double.resources.subscription_states import TERMINAL
from stripe_double.wire.lists import page

LIFECYCLE = Lifecycle(
    "test clock",
    {
        ("ready", "advance"): "advancing",
        ("advancing", "arrive with"): "ready",
        ("advancing", "give up on"): "internal_failure",
    },
)
KEPT_SECONDS = 30 * 86_400
TWO_YEARS_SECONDS = 2 * 365 * 86_400
MAX_STEPS = 10_000
"""More than this many things due in one advance are a mistake, not a test."""
_ADVANCE = "test_clock_advance"

CLOCKED: Mapping[str, Deadline] = {**SCHEDULE_RULES, **BILLING_RULES}
"""What happens by the clock that an object lives on: a new phase before the renewal it changes."""


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/test_helpers/test_clocks"""
    params = call.params
    frozen_time = params["frozen_time"]
    if not 0 < frozen_time < 2**33:
        raise parameter_invalid("frozen_time", "Invalid timestamp.")
    clock = tx.put(
        {
            "id": tx.new_id(COLLECTION),
            "object": COLLECTION,
            "created": tx.now,
            "deletes_after": tx.now + KEPT_SECONDS,
            "frozen_time": frozen_time,
            "livemode": False,
            "name": params.get("name") or None,
            "status": "ready",
            "status_details": {"advancing": None},
        }
    )
    if params.get("customer"):
        _attach(tx, clock, params["customer"])
    tx.emit("test_helpers.test_clock.created", clock)
    return clock


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/test_helpers/test_clocks/{id}"""
    return dict(tx.get(COLLECTION, call.object_id))


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/test_helpers/test_clocks"""
    return page(tx.newest(COLLECTION), call.params, url="/v1/test_helpers/test_clocks")


def advance(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/test_helpers/test_clocks/{id}/advance: begins it; `ready` comes afterwards."""
    clock, target = tx.get(COLLECTION, call.object_id), call.params["frozen_time"]
    status = LIFECYCLE.next(clock["status"], "advance")
    if target <= clock["frozen_time"]:
        raise invalid_request(
            "The time to advance to must be after the test clock's current frozen time.",
            param="frozen_time",
        )
    if target > _furthest(tx, clock):
        raise invalid_request(
            "Cannot advance more than two intervals of the shortest subscription on this test "
            "clock (two years when it has none).",
            param="frozen_time",
        )
    after = tx.put(
        {
            **clock,
            "status": status,
            "status_details": {"advancing": {"target_frozen_time": target}},
        }
    )
    tx.emit("test_helpers.test_clock.advancing", after)
    tx.keep(_ADVANCE, {"id": clock["id"], "at": tx.world_now})
    return after


def delete(tx: Transaction, call: Call) -> JsonObject:
    """DELETE /v1/test_helpers/test_clocks/{id}: with its customers and their subscriptions."""
    clock = tx.get(COLLECTION, call.object_id)
    if clock["status"] != "ready":
        raise state_conflict("The test clock is advancing; it cannot be deleted now.")
    tx.now = clock["frozen_time"]
    for subscription in list(tx.newest("subscription", where={"test_clock": clock["id"]})):
        if subscription["status"] not in TERMINAL:
            end_subscription(tx, subscription, reason="cancellation_requested")
    for customer in list(tx.newest("customer", where={"test_clock": clock["id"]})):
        tx.put({**customer, "deleted": True})
        tx.emit("customer.deleted", customer)
    tx.put({**clock, "deleted": True})
    tx.emit("test_helpers.test_clock.deleted", clock)
    return {"id": clock["id"], "object": COLLECTION, "deleted": True}


def _attach(tx: Transaction, clock: Record, customer_id: str) -> None:
    customer = tx.get("customer", customer_id, param="customer")
    bought = next(tx.newest("subscription", where={"customer": customer_id}), None)
    if customer["test_clock"] is not None or bought is not None:
        raise state_conflict(
            "Only a customer without a test clock and without subscriptions can be attached.",
            param="customer",
        )
    tx.change(customer, "customer.updated", test_clock=clock["id"])


def _furthest(tx: Transaction, clock: Record) -> int:
    now = clock["frozen_time"]
    ends = []
    for subscription in tx.newest("subscription", where={"test_clock": clock["id"]}):
        if subscription["status"] in TERMINAL:
            continue
        for item in subscription["items"]["data"]:
            recurring = item["price"]["recurring"]
            once = period_end(now, recurring, anchor=now)
            ends.append(period_end(once, recurring, anchor=now))
    return min(ends, default=now + TWO_YEARS_SECONDS)


def _advance_due(request: Record) -> int | None:
    at: int | None = request["at"]
    return at


def _arrive(tx: Transaction, request: Record) -> None:
    """Let everything up to the target happen, in order, then be ready there."""
    tx.keep(_ADVANCE, {**request, "at": None})
    clock = tx.find(COLLECTION, request["id"])
    if clock is None or clock["status"] != "advancing":
        return
    target: int = clock["status_details"]["advancing"]["target_frozen_time"]
    for _ in range(MAX_STEPS):
        found = _earliest(tx, clock["id"], target)
        if found is None:
            break
        due, collection, record = found
        tx.now = max(due, clock["frozen_time"])
        CLOCKED[collection].act(tx, record)
    else:
        failed = LIFECYCLE.next(clock["status"], "give up on")
        tx.emit(f"{COLLECTION}.internal_failure", tx.put({**clock, "status": failed}))
        return
    tx.now = target
    after = tx.put(
        {
            **clock,
            "frozen_time": target,
            "status": LIFECYCLE.next(clock["status"], "arrive with"),
            "status_details": {"advancing": None},
        }
    )
    tx.emit("test_helpers.test_clock.ready", after)


def _earliest(tx: Transaction, clock_id: str, target: int) -> tuple[int, str, Record] | None:
    found: tuple[int, str, Record] | None = None
    for collection, rule in CLOCKED.items():
        for record in tx.store.oldest(collection):
            if record.get("test_clock") != clock_id or record.get("deleted"):
                continue
            due = rule.due(record)
            if due is not None and due <= target and (found is None or due < found[0]):
                found = due, collection, record
    return found


def _on_the_world_clock(rule: Deadline) -> Deadline:
    return Deadline(lambda record: None if record["test_clock"] else rule.due(record), rule.act)


DEADLINES: dict[str, Deadline] = {
    **{collection: _on_the_world_clock(rule) for collection, rule in CLOCKED.items()},
    _ADVANCE: Deadline(_advance_due, _arrive),
}
OPERATIONS = (
    operation(
        "test_helpers.test_clocks.create",
        "POST /v1/test_helpers/test_clocks",
        create,
        "customer frozen_time name",
    ),
    operation("test_helpers.test_clocks.list", "GET /v1/test_helpers/test_clocks", list_all),
    operation(
        "test_helpers.test_clocks.retrieve", "GET /v1/test_helpers/test_clocks/{id}", retrieve
    ),
    operation(
        "test_helpers.test_clocks.delete", "DELETE /v1/test_helpers/test_clocks/{id}", delete
    ),
    operation(
        "test_helpers.test_clocks.advance",
        "POST /v1/test_helpers/test_clocks/{id}/advance",
        advance,
        "frozen_time",
    ),
)
