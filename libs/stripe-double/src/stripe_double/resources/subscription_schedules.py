"""Subscription schedules: phases that begin and end by the clock, and their API."""

from __future__ import annotations

from operator import itemgetter

from stripe_double.engine.deadlines import Deadline
from stripe_double.engine.errors import ApiError, invalid_request, state_conflict
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import billing_timers, metadata, pending_updates, subscription_updates
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.schedule_phases import (
    item_params,
    new_phases,
    phase_of_subscription,
    same_items,
)
from stripe_double.resources.schedule_states import (
    LIFECYCLE,
    RUNNING,
    default_settings,
    phase_index,
    running_phase,
    schedule_record,
)
from stripe_double.resources.subscription_cancellation import cancel_now
from stripe_double.resources.subscription_creation import decide_beginning, open_account
from stripe_double.resources.subscription_ending import end_subscription
from stripe_double.resources.subscription_states import TERMINAL, last_period_end
from stripe_double.wire.lists import created_within, equal_to, page, second_within

KIND = "subscription_schedule"
EXPIRING_NOTICE_SECONDS = 7 * 86_400


def create(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/subscription_schedules"""
    params = call.params
    if params.get("from_subscription"):
        return _from_subscription(tx, params)
    if not params.get("customer"):
        raise invalid_request(
            "Either `customer` or `from_subscription` is required.", param="customer"
        )
    customer = tx.get("customer", params["customer"], param="customer")
    stand_at(tx, customer)
    begins = params.get("start_date")
    start: int = tx.now if begins in {None, "now"} else int(begins)
    schedule = tx.put(
        schedule_record(
            tx,
            customer=customer,
            phases=new_phases(tx, params.get("phases") or [], start),
            default_settings=default_settings(params.get("default_settings") or {}, None),
            end_behavior=params.get("end_behavior") or "release",
            metadata=metadata.given(params),
        )
    )
    tx.emit("subscription_schedule.created", schedule)
    return _start(tx, schedule) if start <= tx.now else schedule


def _from_subscription(tx: Transaction, params: JsonObject) -> JsonObject:
    refused = sorted(params.keys() - {"from_subscription", "metadata", "expand", "billing_mode"})
    if refused:
        raise invalid_request(
            f"You cannot set `{refused[0]}` if `from_subscription` is set.", param=refused[0]
        )
    subscription = tx.get("subscription", params["from_subscription"], param="from_subscription")
    stand_at(tx, subscription)
    if subscription["status"] in TERMINAL or subscription["schedule"] is not None:
        raise state_conflict(
            "You cannot migrate a subscription that has ended or is already attached to a "
            "schedule.",
            param="from_subscription",
        )
    start = min(item["current_period_start"] for item in subscription["items"]["data"])
    phase = phase_of_subscription(subscription, start, last_period_end(subscription))
    schedule = tx.put(
        schedule_record(
            tx,
            customer=tx.get("customer", subscription["customer"]),
            phases=[phase],
            current_phase=running_phase(phase),
            metadata=metadata.given(params),
            status="active",
            subscription=subscription["id"],
        )
    )
    tx.emit("subscription_schedule.created", schedule)
    tx.change(subscription, "customer.subscription.updated", schedule=schedule["id"])
    return schedule


def retrieve(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/subscription_schedules/{id}"""
    return dict(tx.get(KIND, call.object_id))


def update(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """POST /v1/subscription_schedules/{id}. The running phase must be among `phases`."""
    before, params = tx.get(KIND, call.object_id), call.params
    stand_at(tx, before)
    if before["status"] not in RUNNING:
        raise state_conflict(
            f"You cannot update a subscription schedule that is {before['status']}."
        )
    values: JsonObject = {"metadata": metadata.merged(before, params)}
    if params.get("end_behavior"):
        values["end_behavior"] = params["end_behavior"]
    if params.get("default_settings"):
        values["default_settings"] = default_settings(
            params["default_settings"], before["default_settings"]
        )
    if params.get("phases"):
        first = before["current_phase"] or before["phases"][0]
        values["phases"] = new_phases(tx, params["phases"], first["start_date"])
        if before["current_phase"] is not None:
            values["current_phase"] = running_phase(values["phases"][0])
    after = tx.change(before, "subscription_schedule.updated", **values)
    if before["current_phase"] is not None and params.get("phases"):
        old, new = before["phases"][phase_index(before)], after["phases"][0]
        if not same_items(old, new):
            behavior = params.get("proration_behavior") or "create_prorations"
            refused = _enter(tx, after, new, proration_behavior=behavior)
            if isinstance(refused, ApiError):
                return refused
    _announce_end(tx, after)
    return after


def release(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/subscription_schedules/{id}/release: the subscription goes on without it."""
    schedule = tx.get(KIND, call.object_id)
    stand_at(tx, schedule)
    return _release(tx, schedule)


def cancel(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/subscription_schedules/{id}/cancel: with its subscription."""
    schedule, params = tx.get(KIND, call.object_id), call.params
    stand_at(tx, schedule)
    after = _end(tx, schedule, "cancel", "canceled", canceled_at=tx.now)
    subscription = _subscription(tx, schedule)
    if subscription is not None:
        cancel_now(
            tx,
            subscription,
            prorates=params.get("prorate", True),
            bills=params.get("invoice_now", True),
        )
    return after


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/subscription_schedules"""
    params = call.params
    found = created_within(tx.newest(KIND, where=equal_to(params, "customer")), params)
    if "scheduled" in params:
        found = (s for s in found if (s["status"] == "not_started") == params["scheduled"])
    for name in ("canceled_at", "completed_at", "released_at"):
        found = second_within(found, params.get(name), itemgetter(name))
    return page(found, params, url="/v1/subscription_schedules")


def due(schedule: Record) -> int | None:
    """When the next phase begins, or the last one ends."""
    if schedule["status"] == "not_started":
        return int(schedule["phases"][0]["start_date"])
    if schedule["status"] == "active":
        return int(schedule["current_phase"]["end_date"])
    return None


def advance(tx: Transaction, schedule: Record) -> None:
    """A phase begins or ends now. Nothing begins for a customer who was deleted."""
    if tx.find("customer", schedule["customer"]) is None:
        _end(tx, schedule, "cancel", "canceled", canceled_at=tx.now)
        return
    if schedule["status"] == "not_started":
        _start(tx, schedule)
        return
    index = phase_index(schedule) + 1
    if index < len(schedule["phases"]):
        phase = schedule["phases"][index]
        after = tx.change(
            schedule, "subscription_schedule.updated", current_phase=running_phase(phase)
        )
        _enter(tx, after, phase, proration_behavior=phase["proration_behavior"])
        _announce_end(tx, after)
    elif schedule["end_behavior"] == "cancel":
        _complete(tx, schedule)
    else:
        _release(tx, schedule)


def advance_or_abort(tx: Transaction, schedule: Record) -> None:
    """As `advance`; a phase that has become impossible (a currency, a state) ends the schedule.

    The clock has nobody to refuse: the event `subscription_schedule.aborted` tells.
    """
    try:
        advance(tx, schedule)
    except ApiError:
        current = tx.get(KIND, schedule["id"])
        if current["status"] in RUNNING:
            _end(tx, current, "cancel", "aborted", canceled_at=tx.now)


def catch_up(tx: Transaction, subscription: Record) -> Record:
    """The subscription once a phase that begins by now has begun: before it renews."""
    schedule = tx.find(KIND, subscription["schedule"] or "")
    if schedule is None:
        return subscription
    second = due(schedule)
    if second is None or second > tx.now:
        return subscription
    advance_or_abort(tx, schedule)
    return tx.get("subscription", subscription["id"])


def _start(tx: Transaction, schedule: Record) -> JsonObject:
    """The first phase begins: the subscription is made; its first invoice is an hour's draft."""
    phase, defaults = schedule["phases"][0], schedule["default_settings"]
    customer = tx.get("customer", schedule["customer"])
    params: JsonObject = {
        "items": item_params(tx, phase, None),
        "metadata": phase["metadata"],
        "collection_method": phase["collection_method"] or defaults["collection_method"],
        "days_until_due": 30,
    }
    chosen = phase["default_payment_method"] or defaults["default_payment_method"]
    method = tx.find("payment_method", chosen or "")
    if method is not None and method["customer"] == customer["id"]:
        params["default_payment_method"] = chosen
    if phase["trial_end"] is not None:
        params["trial_end"] = phase["trial_end"]
    beginning = decide_beginning(tx, customer, params)
    record = {**beginning.record, "schedule": schedule["id"]}
    if record["collection_method"] == "charge_automatically":
        record["days_until_due"] = None
    subscription = open_account(tx, record, beginning.amounts, payment_behavior=None)
    after = tx.change(
        schedule,
        "subscription_schedule.updated",
        current_phase=running_phase(phase),
        status=LIFECYCLE.next(schedule["status"], "start"),
        subscription=subscription["id"],
    )
    _announce_end(tx, after)
    return after


def _enter(
    tx: Transaction, schedule: Record, phase: Record, *, proration_behavior: str
) -> JsonObject | ApiError | None:
    subscription = _subscription(tx, schedule)
    if subscription is None:
        return None
    params: JsonObject = {
        "items": item_params(tx, phase, subscription),
        "proration_behavior": proration_behavior,
        "metadata": phase["metadata"],
    }
    if subscription["pending_update"] is not None:
        subscription = pending_updates.expire(tx, subscription)
    if phase["trial_end"] is not None and phase["trial_end"] > tx.now:
        params["trial_end"] = phase["trial_end"]
    return subscription_updates.change(tx, subscription, params)


def _complete(tx: Transaction, schedule: Record) -> None:
    _end(tx, schedule, "complete", "completed", completed_at=tx.now)
    subscription = _subscription(tx, schedule)
    if subscription is not None:
        end_subscription(tx, subscription, reason="cancellation_requested")


def _release(tx: Transaction, schedule: Record) -> JsonObject:
    after = _end(
        tx,
        schedule,
        "release",
        "released",
        released_at=tx.now,
        released_subscription=schedule["subscription"],
        subscription=None,
    )
    subscription = _subscription(tx, schedule)
    if subscription is not None:
        tx.change(subscription, "customer.subscription.updated", schedule=None)
    return after


def _end(
    tx: Transaction, schedule: Record, action: str, event: str, **values: object
) -> JsonObject:
    status = LIFECYCLE.next(schedule["status"], action)
    after = tx.put({**schedule, "current_phase": None, "status": status, **values})
    tx.emit(f"subscription_schedule.{event}", after)
    return after


def _subscription(tx: Transaction, schedule: Record) -> Record | None:
    found = tx.find("subscription", schedule["subscription"] or "")
    return None if found is None or found["status"] in TERMINAL else found


def _announce_end(tx: Transaction, schedule: Record) -> None:
    at = schedule["phases"][-1]["end_date"] - EXPIRING_NOTICE_SECONDS
    billing_timers.start(tx, "schedule_expiring", schedule, at=at if at > tx.now else None)


RULES = {KIND: Deadline(due, advance_or_abort)}
_ITEM = (
    "price quantity metadata.* price_data.currency price_data.product price_data.unit_amount "
    "price_data.recurring.interval price_data.recurring.interval_count"
)
_PHASE = (
    "collection_method default_payment_method description duration.interval "
    "duration.interval_count end_date metadata.* proration_behavior trial trial_end"
)
_PHASES = " ".join(
    [
        *(f"phases[].items[].{name}" for name in _ITEM.split()),
        *(f"phases[].{name}" for name in _PHASE.split()),
    ]
)
_DEFAULTS = (
    "default_settings.collection_method default_settings.default_payment_method "
    "default_settings.description end_behavior metadata metadata.*"
)
_ENDS = {"end_behavior": frozenset({"cancel", "release"})}
OPERATIONS = (
    operation(
        "subscription_schedules.create",
        "POST /v1/subscription_schedules",
        create,
        f"customer from_subscription start_date billing_mode.type {_DEFAULTS} {_PHASES}",
        {**_ENDS, "billing_mode.type": frozenset({"flexible"})},
    ),
    operation(
        "subscription_schedules.list",
        "GET /v1/subscription_schedules",
        list_all,
        "customer scheduled "
        + " ".join(
            f"{name}{bound}"
            for name in ("canceled_at", "completed_at", "released_at")
            for bound in ("", ".gt", ".gte", ".lt", ".lte")
        ),
    ),
    operation("subscription_schedules.retrieve", "GET /v1/subscription_schedules/{id}", retrieve),
    operation(
        "subscription_schedules.update",
        "POST /v1/subscription_schedules/{id}",
        update,
        f"proration_behavior phases[].start_date {_DEFAULTS} {_PHASES}",
        _ENDS,
    ),
    operation(
        "subscription_schedules.release", "POST /v1/subscription_schedules/{id}/release", release
    ),
    operation(
        "subscription_schedules.cancel",
        "POST /v1/subscription_schedules/{id}/cancel",
        cancel,
        "invoice_now prorate",
    ),
)
