"""What the clock does to subscriptions and their invoices: renew, end, pause, collect, retry."""

from __future__ import annotations

from stripe_double.engine.deadlines import Deadline
from stripe_double.engine.errors import invalid_request
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import (
    billed_time,
    billing_timers,
    invoice_collection,
    pending_updates,
    subscription_billing,
    subscription_notices,
)
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.invoice_collection import collect, finalize
from stripe_double.resources.periods import period_end
from stripe_double.resources.proration import remaining
from stripe_double.resources.subscription_cancellation import end_at_its_time
from stripe_double.resources.subscription_ending import expire_incomplete
from stripe_double.resources.subscription_schedules import catch_up
from stripe_double.resources.subscription_states import (
    FIRST_PAYMENT_SECONDS,
    LIFECYCLE,
    RENEWING,
    first_period_end,
    item_amount,
)
from stripe_double.resources.trial_ends import end_without_method


def subscription_due(subscription: Record) -> int | None:
    """When the clock must do something to this subscription next."""
    return min(_due_seconds(subscription), default=None)


def _due_seconds(subscription: Record) -> list[int]:
    status = subscription["status"]
    if status == "incomplete":
        return [subscription["created"] + FIRST_PAYMENT_SECONDS]
    found = []
    if status in RENEWING:
        found.append(first_period_end(subscription))
    if status in RENEWING or status == "paused":
        if subscription["cancel_at"] is not None:
            found.append(subscription["cancel_at"])
        if subscription["pending_update"] is not None:
            found.append(subscription["pending_update"]["expires_at"])
        pause = subscription["pause_collection"]
        if pause is not None and pause["resumes_at"] is not None:
            found.append(pause["resumes_at"])
    return found


def act_on_subscription(tx: Transaction, subscription: Record) -> None:
    """Do the one thing that is due first: expire, resume collection, end, or renew."""
    now, pause = tx.now, subscription["pause_collection"]
    if subscription["status"] == "incomplete":
        _expire_first_payment(tx, subscription)
    elif pause is not None and pause["resumes_at"] is not None and pause["resumes_at"] <= now:
        tx.change(subscription, "customer.subscription.updated", pause_collection=None)
    elif _pending_update_is_over(subscription, now):
        _expire_pending_update(tx, subscription)
    elif subscription["cancel_at"] is not None and subscription["cancel_at"] <= now:
        end_at_its_time(tx, subscription)
    elif subscription["status"] == "trialing":
        end_trial(tx, subscription)
    else:
        current = catch_up(tx, subscription)
        if current["status"] in RENEWING and first_period_end(current) <= now:
            renew(tx, current)


def renew(tx: Transaction, subscription: Record) -> tuple[JsonObject, JsonObject]:
    """Start the next period and draft its invoice: (subscription, invoice)."""
    boundary = first_period_end(subscription)
    amounts: dict[str, int] = {}
    items = [
        _next_period(item, boundary, subscription, amounts)
        for item in subscription["items"]["data"]
    ]
    renewed = [item for item in items if item["current_period_start"] == boundary]
    status = subscription["status"]
    if status == "trialing":
        status = LIFECYCLE.next(status, "activate")
    started = tx.put(
        {**subscription, "status": status, "items": {**subscription["items"], "data": items}}
    )
    pause = subscription["pause_collection"]
    stays_draft = status == "unpaid" or (pause is not None and pause["behavior"] == "keep_as_draft")
    invoice = subscription_billing.bill(
        tx,
        started,
        renewed,
        billing_reason="subscription_cycle",
        auto_advance=not stays_draft,
        amounts=amounts,
    )
    billed_time.note_invoice(tx, invoice)
    after = tx.put({**started, "latest_invoice": invoice["id"]})
    previous = {
        name: subscription[name]
        for name in ("status", "items", "latest_invoice")
        if subscription[name] != after[name]
    }
    tx.emit("customer.subscription.updated", after, previous)
    subscription_notices.schedule_notices(tx, after)
    return after, invoice


def end_trial(tx: Transaction, subscription: Record) -> None:
    """The trial is over: bill the first paid period, or do what was set for a missing card."""
    if end_without_method(tx, subscription) is None:
        renew(tx, subscription)


def _next_period(
    item: Record, boundary: int, subscription: Record, amounts: dict[str, int]
) -> Record:
    if item["current_period_end"] != boundary:
        return item
    end = period_end(
        boundary, item["price"]["recurring"], anchor=subscription["billing_cycle_anchor"]
    )
    last = subscription["cancel_at"]
    if last is not None and boundary < last < end:
        whole = item_amount(item)
        amounts[item["id"]] = whole - remaining(whole, boundary, end, last)
        end = last
    return {**item, "current_period_start": boundary, "current_period_end": end}


def _expire_first_payment(tx: Transaction, subscription: Record) -> None:
    invoice = tx.store.find("invoice", subscription["latest_invoice"] or "")
    if invoice is not None and invoice["status"] == "open":
        invoice_collection.void(tx, invoice)  # the subscription follows its invoice
    else:
        expire_incomplete(tx, subscription)


def _pending_update_is_over(subscription: Record, now: int) -> bool:
    pending = subscription["pending_update"]
    return pending is not None and pending["expires_at"] <= now


def _expire_pending_update(tx: Transaction, subscription: Record) -> None:
    invoice = pending_updates.invoice_of(tx, subscription)
    if invoice is not None and invoice["status"] == "open":
        invoice_collection.void(tx, invoice)  # the pending update follows its invoice
    else:
        pending_updates.expire(tx, subscription)


def invoice_due(invoice: Record) -> int | None:
    """When the clock must finalize or retry this invoice."""
    due: int | None = None
    if invoice["status"] == "draft" and invoice["auto_advance"]:
        due = invoice["automatically_finalizes_at"]
    elif invoice["status"] == "open":
        due = invoice["next_payment_attempt"]
    return due


def advance_invoice(tx: Transaction, invoice: Record) -> None:
    """The clock reached the invoice's next step: finalize, and send or collect."""
    if invoice["status"] == "draft":
        invoice = finalize(tx, invoice)
        if invoice["status"] != "open":
            return
        pause = _collection_pause_of(tx, invoice)
        if pause == "void":
            invoice_collection.void(tx, invoice)
            return
        if pause == "mark_uncollectible":
            reason = "subscription_paused"
            invoice_collection.mark_uncollectible(tx, invoice, reason=reason)
            return
        if invoice["collection_method"] == "send_invoice":
            invoice_collection.send(tx, invoice)
            return
    collect(tx, invoice)


def _collection_pause_of(tx: Transaction, invoice: Record) -> str | None:
    subscription = invoice_collection.billed_subscription(tx, invoice)
    pause = None if subscription is None else subscription["pause_collection"]
    return None if pause is None else str(pause["behavior"])


def overdue(tx: Transaction, invoice: Record) -> None:
    """An invoice that was sent is not paid at its due date."""
    if invoice["status"] != "open":
        return
    tx.emit("invoice.overdue", invoice)
    invoice_collection.miss(tx, invoice)


def renew_now(tx: Transaction, subscription: Record, *, decline_code: str | None) -> JsonObject:
    """Renew as if the boundary were reached now, and collect at once: the invoice."""
    if subscription["status"] not in RENEWING:
        raise invalid_request(f"A subscription that is {subscription['status']} does not renew.")
    stand_at(tx, subscription)
    _, invoice = renew(tx, subscription)
    return collect(tx, finalize(tx, invoice), decline_code=decline_code)


__all__ = ["RULES", "collect", "renew", "renew_now"]


def announce_schedule_end(tx: Transaction, schedule: Record) -> None:
    """`subscription_schedule.expiring`, if its last phase still ends as it was to end."""
    if schedule["status"] == "active":
        tx.emit("subscription_schedule.expiring", schedule)


TIMERS = {
    "invoice_overdue": overdue,
    "schedule_expiring": announce_schedule_end,
    "invoice_upcoming": subscription_notices.announce_invoice,
    "trial_will_end": subscription_notices.announce_trial_end,
}


def ring(tx: Transaction, timer: Record) -> None:
    """A timer's second has come."""
    billing_timers.ring(tx, timer, TIMERS)


RULES = {
    "subscription": Deadline(subscription_due, act_on_subscription),
    "invoice": Deadline(invoice_due, advance_invoice),
    billing_timers.COLLECTION: Deadline(billing_timers.due, ring),
}
"""What happens by the clock that an object lives on, whichever that is."""
