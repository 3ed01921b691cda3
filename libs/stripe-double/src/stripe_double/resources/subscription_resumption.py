"""Pausing a subscription on request, and resuming a paused one."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import billed_time, invoice_collection, subscription_billing
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.invoice_items import pending_for
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.periods import period_at, period_end
from stripe_double.resources.proration import Debit, remaining
from stripe_double.resources.subscription_changes import Proration, credits_for
from stripe_double.resources.subscription_notices import schedule_notices
from stripe_double.resources.subscription_pauses import paused_status
from stripe_double.resources.subscription_prorations import write_prorations
from stripe_double.resources.subscription_states import LIFECYCLE, item_amount, with_items


def pause(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/subscriptions/{id}/pause: no invoices until it is resumed."""
    subscription, params = tx.get("subscription", call.object_id), call.params
    stand_at(tx, subscription)
    status = LIFECYCLE.next(subscription["status"], "pause")
    unused = ((params.get("bill_for") or {}).get("unused_time_from") or {}).get("type", "now")
    if unused != "none":
        _give_back(tx, subscription, whole=unused == "item_current_period_start")
    after = tx.put(
        {
            **subscription,
            "status": status,
            "status_details": paused_status(tx, "pause_requested"),
        }
    )
    tx.emit("customer.subscription.paused", after)
    if params.get("invoicing_behavior") == "invoice" and _waiting(tx, after):
        return _bill(tx, after, [])
    return after


def resume(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/subscriptions/{id}/resume: active again, and billed from now on."""
    subscription, params = tx.get("subscription", call.object_id), call.params
    stand_at(tx, subscription)
    status = LIFECYCLE.next(subscription["status"], "resume")
    anchored = (params.get("billing_cycle_anchor") or {}).get("type", "now") == "now"
    anchor = tx.now if anchored else subscription["billing_cycle_anchor"]
    items = [_resumed(tx, item, anchor) for item in subscription["items"]["data"]]
    after = tx.put(
        {
            **subscription,
            "billing_cycle_anchor": anchor,
            "items": with_items(subscription, items),
            "status": status,
            "status_details": None,
        }
    )
    tx.emit("customer.subscription.resumed", after)
    schedule_notices(tx, after)
    if anchored:
        return _bill(tx, after, items)
    behavior = params.get("proration_behavior") or "create_prorations"
    if behavior != "none":
        at = params.get("proration_date") or tx.now
        write_prorations(tx, after, _rests(items, at))
    if behavior == "always_invoice":
        return _bill(tx, after, [])
    return after


def _give_back(tx: Transaction, subscription: Record, *, whole: bool) -> None:
    items = subscription["items"]["data"]
    at = min(item["current_period_start"] for item in items) if whole else tx.now
    credits = credits_for(items, at, lambda item_id: billed_time.latest_debit(tx, item_id))
    for credit, written in zip(credits, write_prorations(tx, subscription, credits), strict=True):
        source = {
            "invoice_item": written["id"],
            "invoice_line_item_details": None,
            "type": "invoice_item",
        }
        # What was given back once is not given back again.
        spent = Debit(credit.start, credit.end, 0)
        billed_time.note_debit(tx, credit.item["id"], spent, source)


def _resumed(tx: Transaction, item: Record, anchor: int) -> Record:
    recurring = item["price"]["recurring"]
    if anchor == tx.now:
        start, end = tx.now, period_end(tx.now, recurring, anchor=tx.now)
    else:
        start, end = period_at(tx.now, recurring, anchor=anchor)
    return {**item, "current_period_start": start, "current_period_end": end}


def _rests(items: list[Record], at: int) -> list[Proration]:
    found = []
    for item in items:
        start, end = item["current_period_start"], item["current_period_end"]
        amount = remaining(item_amount(item), start, end, at)
        if amount:
            found.append(Proration(item, amount, max(start, at), end))
    return found


def _waiting(tx: Transaction, subscription: Record) -> list[Record]:
    return pending_for(tx, subscription["customer"], subscription["currency"], subscription["id"])


def _bill(tx: Transaction, subscription: Record, items: list[Record]) -> JsonObject:
    invoice = subscription_billing.bill(
        tx, subscription, items, billing_reason="subscription_update"
    )
    billed_time.note_invoice(tx, invoice)
    tx.change(subscription, "customer.subscription.updated", latest_invoice=invoice["id"])
    opened = invoice_collection.finalize(tx, invoice)
    if opened["status"] == "open" and opened["collection_method"] == "charge_automatically":
        invoice_collection.collect(tx, opened)
    return dict(tx.get("subscription", subscription["id"]))


_OF_BILL_FOR = "bill_for.outstanding_usage_through.type bill_for.unused_time_from.type"
OPERATIONS = (
    operation(
        "subscriptions.pause",
        "POST /v1/subscriptions/{id}/pause",
        pause,
        f"{_OF_BILL_FOR} invoicing_behavior type",
    ),
    operation(
        "subscriptions.resume",
        "POST /v1/subscriptions/{id}/resume",
        resume,
        "billing_cycle_anchor.type payment_behavior proration_behavior proration_date",
        {"payment_behavior": frozenset({"resume_on_payment_attempt"})},
    ),
)
