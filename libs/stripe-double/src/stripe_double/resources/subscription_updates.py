"""Changing a subscription: items, quantities, anchor, trial, its end; with or without proration."""

from __future__ import annotations

from dataclasses import dataclass

from stripe_double.engine.errors import ApiError, card_declined, invalid_request, state_conflict
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import (
    billed_time,
    invoice_collection,
    metadata,
    pending_updates,
    subscription_billing,
)
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.invoice_items import pending_for
from stripe_double.resources.invoice_lines import invoice_item_line, period_line
from stripe_double.resources.invoice_states import settled_balance
from stripe_double.resources.operations import Call
from stripe_double.resources.subscription_cancellation import note_terms
from stripe_double.resources.subscription_changes import (
    Moment,
    Plan,
    Proration,
    credits_for,
    differ,
    plan_change,
)
from stripe_double.resources.subscription_discounts import lowered, replaced
from stripe_double.resources.subscription_fields import (
    checked_trial_end,
    ending,
    plain_fields,
    trial_settings,
)
from stripe_double.resources.subscription_item_params import changed_items
from stripe_double.resources.subscription_notices import schedule_notices
from stripe_double.resources.subscription_pauses import collection_pause
from stripe_double.resources.subscription_prorations import proration_line, write_prorations
from stripe_double.resources.subscription_states import (
    LIFECYCLE,
    TERMINAL,
    payment_method_of,
    with_items,
)
from stripe_double.resources.trial_ends import end_without_method, ending_without_method

_WHILE_ENDED = frozenset({"cancellation_details", "metadata", "expand"})
_WHILE_PENDING = frozenset(
    {
        *("billing_cycle_anchor", "cancel_at_period_end", "expand", "items", "off_session"),
        *("payment_behavior", "proration_behavior", "proration_date", "trial_end"),
    }
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What an update does: fields, items, prorations, and whether it is invoiced at once."""

    values: JsonObject
    plan: Plan | None = None
    invoices_now: bool = False


@dataclass(frozen=True, slots=True)
class _MoneyChange:
    """Items afterwards; the new end of the trial (0: now, None: as before); anchored anew."""

    items: list[Record]
    trial_end: int | None
    anchored: bool


def update(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """POST /v1/subscriptions/{id}"""
    before = tx.get("subscription", call.object_id)
    stand_at(tx, before)
    return change(tx, before, call.params)


def change(tx: Transaction, before: Record, params: JsonObject) -> JsonObject | ApiError:
    """The subscription after an update with these parameters, or the 402 of its invoice."""
    _check_allowed(before, params)
    if params.get("cancel_at"):
        note_terms(tx, before["id"], prorates=params.get("proration_behavior") != "none")
    if "discounts" in params:
        discounted = replaced(tx, before, params["discounts"])
        before = tx.change(before, "customer.subscription.updated", **discounted)
    ended = _end_trial(tx, before, params)
    if ended is not None:
        return ended
    decision = decide(tx, before, params)
    behavior = params.get("payment_behavior") or "allow_incomplete"
    if decision.plan is None:
        return _write(tx, before, decision.values)
    if not decision.invoices_now:
        write_prorations(tx, before, decision.plan.prorations)
        return _write(tx, before, _with_plan(before, decision))
    if before["collection_method"] == "charge_automatically":
        if behavior == "error_if_incomplete":
            refusal = _refusal(tx, before, decision)
            if refusal is not None:
                return card_declined(refusal)
        if behavior == "pending_if_incomplete":
            return _apply_once_paid(tx, before, decision)
    return _apply_and_bill(tx, before, decision, behavior)


def _end_trial(tx: Transaction, before: Record, params: JsonObject) -> JsonObject | None:
    """The subscription after a trial that ends now with nothing to pay for what follows; None
    when it is billed as any other change."""
    if params.get("trial_end") != "now" or before["status"] != "trialing":
        return None
    rest = {name: value for name, value in params.items() if name != "trial_end"}
    decision = decide(tx, before, rest)
    after = {**before, **decision.values}
    if decision.plan is not None or ending_without_method(tx, after) is None:
        return None
    return end_without_method(tx, _write(tx, before, decision.values))


def decide(tx: Transaction, before: Record, params: JsonObject) -> Decision:
    """What an update with these parameters would do. Nothing is changed yet; ApiError 400."""
    customer = tx.get("customer", before["customer"])
    values = {
        **plain_fields(tx, customer, _with_days(before, params)),
        "metadata": metadata.merged(before, params),
        **ending(tx, before, params),
        **collection_pause(tx, before, params),
    }
    if params.get("trial_settings"):
        values["trial_settings"] = trial_settings(params, before["trial_settings"])
    items_before = list(before["items"]["data"])
    given = params.get("items")
    items_after = changed_items(tx, before, given) if given else items_before
    trial = _trial(tx, before, params)
    anchored = (params.get("billing_cycle_anchor") or {}).get("type") == "now"
    money = anchored or trial is not None or differ(items_before, items_after)
    if not money:
        if given:
            values["items"] = with_items(before, items_after)
        return Decision(values)
    change = _MoneyChange(items_after, trial, anchored)
    return _decide_money(tx, before, params, values, change)


def _decide_money(
    tx: Transaction, before: Record, params: JsonObject, values: JsonObject, change: _MoneyChange
) -> Decision:
    behavior = params.get("proration_behavior") or "create_prorations"
    trial, ends_trial = change.trial_end, change.trial_end == 0
    in_trial = before["status"] == "trialing" and not ends_trial
    paused = before["status"] == "paused"
    trial_end = (trial or before["trial_end"]) if trial or in_trial else None
    plan = plan_change(
        list(before["items"]["data"]),
        change.items,
        Moment(
            now=tx.now,
            proration_date=_proration_date(tx, before, params),
            anchor=before["billing_cycle_anchor"],
            trial_end=trial_end,
        ),
        prorates=behavior != "none" and not in_trial and not paused,
        resets_anchor=change.anchored or ends_trial,
        debit_of=lambda item_id: billed_time.latest_debit(tx, item_id),
    )
    plan = lowered(tx, before, plan)
    values = {**values, "billing_cycle_anchor": plan.anchor}
    if trial:
        values |= {
            "status": LIFECYCLE.next(before["status"], "start a trial of"),
            "trial_start": before["trial_start"] if in_trial else tx.now,
            "trial_end": trial,
        }
    elif ends_trial:
        values |= {
            "status": LIFECYCLE.next(before["status"], "activate"),
            "trial_end": tx.now,
        }
    waits = behavior == "always_invoice" and not in_trial
    invoices_now = bool(plan.whole) or (waits and bool(plan.prorations))
    return Decision(values, plan, invoices_now and before["status"] != "unpaid" and not paused)


def credits_now(tx: Transaction, before: Record, params: JsonObject) -> list[Proration]:
    """What would be given back if the subscription ended now (or at `proration_date`)."""
    at = _proration_date(tx, before, params)
    items = before["items"]["data"]
    return credits_for(items, at, lambda item_id: billed_time.latest_debit(tx, item_id))


def drafts_of(tx: Transaction, before: Record, decision: Decision) -> list[JsonObject]:
    """The lines that the invoice for a decision would have, waiting items first."""
    plan = decision.plan
    if plan is None:
        return []
    waiting = pending_for(tx, before["customer"], before["currency"], before["id"])
    billed = {**before, **decision.values}
    lines = [invoice_item_line(item) for item in waiting]
    lines += [proration_line(tx, before, proration) for proration in plan.prorations]
    lines += [period_line(tx, billed, item) for item in plan.whole]
    return lines


def _apply_and_bill(
    tx: Transaction, before: Record, decision: Decision, payment_behavior: str
) -> JsonObject:
    """The change takes effect whatever becomes of its invoice."""
    plan = decision.plan
    if plan is None:
        return dict(before)
    write_prorations(tx, before, plan.prorations)
    changed = {**before, **_with_plan(before, decision)}
    invoice = subscription_billing.bill(
        tx, changed, plan.whole, billing_reason="subscription_update"
    )
    billed_time.note_invoice(tx, invoice)
    after = _write(tx, before, {**_with_plan(before, decision), "latest_invoice": invoice["id"]})
    opened = subscription_billing.collect_now(tx, after, invoice, payment_behavior=payment_behavior)
    leaves_open = opened["status"] == "open" and payment_behavior == "default_incomplete"
    current = tx.get("subscription", before["id"])
    if leaves_open and LIFECYCLE.allows(current["status"], "miss"):
        status = LIFECYCLE.next(current["status"], "miss")
        return tx.change(current, "customer.subscription.updated", status=status)
    return dict(current)


def _apply_once_paid(tx: Transaction, before: Record, decision: Decision) -> JsonObject:
    """The change takes effect when its invoice is paid; until then it is a pending update."""
    plan = decision.plan
    if plan is None:
        return dict(before)
    write_prorations(tx, before, plan.prorations, takes_effect=False)
    changed = {**before, **_with_plan(before, decision)}
    invoice = subscription_billing.bill(
        tx, changed, plan.whole, billing_reason="subscription_update"
    )
    opened = invoice_collection.finalize(tx, invoice)
    if opened["status"] == "open":
        customer = tx.get("customer", before["customer"])
        method = payment_method_of(tx, before, customer)
        opened = invoice_collection.attempt(tx, opened, method, retries=False, followed=False)
    values = _with_plan(before, decision)
    current = tx.get("subscription", before["id"])
    if opened["status"] == "paid":
        billed_time.note_invoice(tx, opened)
        return _write(tx, current, {**values, "latest_invoice": invoice["id"]})
    values.pop("items")
    return pending_updates.await_payment(tx, current, opened, items=plan.items, values=values)


def _with_plan(before: Record, decision: Decision) -> JsonObject:
    items = [] if decision.plan is None else decision.plan.items
    return {**decision.values, "items": with_items(before, items)}


def _write(tx: Transaction, before: Record, values: JsonObject) -> JsonObject:
    after = tx.change(before, "customer.subscription.updated", **values)
    if values.keys() & {"items", "trial_end", "billing_cycle_anchor"}:
        schedule_notices(tx, after)
    return after


def _refusal(tx: Transaction, before: Record, decision: Decision) -> str | None:
    total = sum(int(line["amount"]) for line in drafts_of(tx, before, decision))
    customer = tx.get("customer", before["customer"])
    if settled_balance(total, customer["balance"])[0] == 0:
        return None
    if payment_method_of(tx, before, customer) is None:
        raise invalid_request(
            "This customer has no attached payment source or default payment method."
        )
    return subscription_billing.refusal(tx, before, customer)


def _trial(tx: Transaction, before: Record, params: JsonObject) -> int | None:
    """The second at which a trial is to end; 0: now; None: nothing was said."""
    wanted = params.get("trial_end")
    if wanted is None or wanted == before["trial_end"]:
        return None
    if wanted == "now":
        return 0 if before["status"] == "trialing" else None
    return checked_trial_end(tx, int(wanted))


def _proration_date(tx: Transaction, before: Record, params: JsonObject) -> int:
    date = params.get("proration_date")
    if date is None:
        return tx.now
    starts = min(item["current_period_start"] for item in before["items"]["data"])
    ends = max(item["current_period_end"] for item in before["items"]["data"])
    if not starts <= date <= ends:
        raise invalid_request(
            "Cannot specify `proration_date` outside of the current billing period.",
            param="proration_date",
        )
    return int(date)


def _with_days(before: Record, params: JsonObject) -> JsonObject:
    if params.get("collection_method") != "send_invoice" or params.get("days_until_due"):
        return params
    return {**params, "days_until_due": before["days_until_due"]}


def _check_allowed(before: Record, params: JsonObject) -> None:
    if before["status"] in TERMINAL and params.keys() - _WHILE_ENDED:
        raise state_conflict(
            "A canceled subscription can only update its cancellation_details and metadata."
        )
    if params.get("payment_behavior") == "pending_if_incomplete":
        refused = sorted(params.keys() - _WHILE_PENDING)
        if refused:
            raise invalid_request(
                f"These parameters cannot be part of a pending update: {', '.join(refused)}.",
                param=refused[0],
            )
    if before["schedule"] is not None and params.keys() & {"cancel_at", "cancel_at_period_end"}:
        raise state_conflict(
            f"The subscription is managed by the subscription schedule `{before['schedule']}`, "
            "and updating any cancelation behavior directly is not allowed. Please update the "
            "schedule instead."
        )
    if before["pending_update"] is not None and params.keys() & {"items", "trial_end"}:
        raise state_conflict(
            "This subscription has a pending update. Pay or void its latest invoice first."
        )
    if before["status"] == "incomplete" and params.get("items"):
        raise state_conflict(
            "The items of an incomplete subscription cannot be changed; its first invoice must "
            "be paid first."
        )
