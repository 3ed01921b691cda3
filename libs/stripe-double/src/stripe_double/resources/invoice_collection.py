"""From draft to money: finalize, collect, retry, void, give up. Subscriptions follow each step."""

from __future__ import annotations

from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import (
    billing_timers,
    customer_credit,
    discounts,
    invoice_charging,
    subscription_following,
)
from stripe_double.resources.clock_time import clock_of
from stripe_double.resources.invoice_charging import Outcome
from stripe_double.resources.invoice_discounts import total_off
from stripe_double.resources.invoice_states import (
    amounts,
    retry_at,
    settled_balance,
    subscription_of,
    transition,
)
from stripe_double.resources.subscription_states import payment_method_of

HOUR_SECONDS = 3600


def finalize(tx: Transaction, invoice: Record, *, auto_advance: bool | None = None) -> JsonObject:
    """Number the draft and open it; one that asks for nothing is paid at once.

    The customer's balance is applied here. One that asks for money gets its payment intent.
    """
    customer = tx.store.find("customer", invoice["customer"]) or {}
    sequence = customer["next_invoice_sequence"]
    tx.keep("customer", {**customer, "next_invoice_sequence": sequence + 1})
    before = customer["balance"]
    due, after_balance = settled_balance(invoice["total"], before)
    after = tx.put(
        {
            **invoice,
            **transition(invoice, "finalize", finalized_at=tx.now),
            **amounts(invoice["total"], due=due, paid=0, discount=total_off(invoice)),
            "automatically_finalizes_at": None,
            "auto_advance": True if auto_advance is None else auto_advance,
            "effective_at": invoice["effective_at"] or tx.now,
            "ending_balance": after_balance,
            "hosted_invoice_url": f"{tx.options.page_base_url}/i/{invoice['id']}",
            "next_payment_attempt": _first_attempt(tx, invoice, auto_advance=auto_advance),
            "number": invoice["number"] or f"{customer['invoice_prefix']}-{sequence:04d}",
            "starting_balance": before,
        }
    )
    if after_balance != before:
        links = {"invoice": invoice["id"], "currency": invoice["currency"]}
        customer_credit.change_balance(
            tx, invoice["customer"], after_balance - before, "applied_to_invoice", **links
        )
    if due > 0:
        invoice_charging.open_intent(tx, after)
    tx.emit("invoice.finalized", after)
    _end_discounts(tx, after)
    if due == 0:
        return mark_paid(tx, after)
    if after["collection_method"] == "send_invoice":
        billing_timers.start(tx, "invoice_overdue", after, at=after["due_date"])
    return after


def _end_discounts(tx: Transaction, invoice: Record) -> None:
    """The subscription of a finalized invoice loses the discounts that were for once."""
    subscription_id = subscription_of(invoice)
    subscription = tx.find("subscription", subscription_id) if subscription_id else None
    if subscription is not None and invoice["discounts"]:
        discounts.end_used(tx, subscription)


def attempt(
    tx: Transaction,
    invoice: Record,
    method: Record | None,
    *,
    decline_code: str | None = None,
    retries: bool = True,
    followed: bool = True,
) -> JsonObject:
    """Try to collect an open invoice with a card; None: there is none, which counts as refused.

    Without `retries` a refusal sets no further attempt. Unless it is `followed`, a refusal leaves
    the subscription as it is, e.g. while a pending update waits for the payment.
    """
    if invoice["status"] == "paid":
        return dict(invoice)
    if method is None:
        return _note_refusal(tx, invoice, retries=retries, followed=followed)
    outcome = invoice_charging.charge(tx, invoice, method, decline_code=decline_code)
    if outcome is Outcome.PAID:
        return mark_paid(tx, invoice, method_id=method["id"], attempted=True)
    if outcome is Outcome.NEEDS_ACTION:
        return _note_refusal(tx, invoice, retries=retries, followed=followed, needs_action=True)
    if outcome is Outcome.PROCESSING:
        return tx.put(
            {
                **invoice,
                "attempted": True,
                "attempt_count": invoice["attempt_count"] + 1,
                "next_payment_attempt": None,
            }
        )
    return _note_refusal(tx, invoice, retries=retries, followed=followed)


def collect(tx: Transaction, invoice: Record, *, decline_code: str | None = None) -> JsonObject:
    """Try to collect an open invoice with the card that its subscription or customer has."""
    customer = tx.store.find("customer", invoice["customer"]) or {}
    return attempt(tx, invoice, method_for(tx, invoice, customer), decline_code=decline_code)


def method_for(tx: Transaction, invoice: Record, customer: Record) -> Record | None:
    """The card that would pay this invoice: its own, its subscription's, its customer's."""
    own = invoice["default_payment_method"]
    method = tx.find("payment_method", own) if own else None
    if method is not None and method["customer"] == customer["id"]:
        return method
    subscription_id = subscription_of(invoice)
    subscription = tx.find("subscription", subscription_id) if subscription_id else None
    return payment_method_of(tx, subscription, customer)


def intent_of(tx: Transaction, invoice: Record) -> Record | None:
    """The payment intent of an invoice, if it has one."""
    return invoice_charging.intent_of(tx, invoice)


def charges_of(tx: Transaction, invoice: Record) -> list[Record]:
    """Every charge that was tried for the invoice, newest first."""
    return invoice_charging.charges_of(tx, invoice)


def apply_credit_note(
    tx: Transaction, invoice: Record, *, pre_payment: int, post_payment: int
) -> JsonObject:
    """A credit note lowers what the invoice asks, or notes what was given back. One that asks
    nothing any more is paid."""
    due = invoice["amount_due"] - pre_payment
    after = tx.change(
        invoice,
        "invoice.updated",
        amount_due=due,
        amount_remaining=due - invoice["amount_paid"],
        post_payment_credit_notes_amount=invoice["post_payment_credit_notes_amount"] + post_payment,
        pre_payment_credit_notes_amount=invoice["pre_payment_credit_notes_amount"] + pre_payment,
    )
    if after["status"] != "open" or not pre_payment:
        return after
    invoice_charging.ask_only(tx, after, after["amount_remaining"])
    return mark_paid(tx, after) if after["amount_remaining"] == 0 else after


def withdraw_credit_note(tx: Transaction, invoice: Record, pre_payment: int) -> JsonObject:
    """The open invoice asks again what a voided credit note had taken off."""
    due = invoice["amount_due"] + pre_payment
    after = tx.change(
        invoice,
        "invoice.updated",
        amount_due=due,
        amount_remaining=due - invoice["amount_paid"],
        pre_payment_credit_notes_amount=invoice["pre_payment_credit_notes_amount"] - pre_payment,
    )
    invoice_charging.ask_only(tx, after, after["amount_remaining"])
    return after


def mark_paid(
    tx: Transaction,
    invoice: Record,
    *,
    method_id: str | None = None,
    attempted: bool = False,
    off_stripe: bool = False,
) -> JsonObject:
    """The invoice is paid; `off_stripe` when the money came another way."""
    due, remaining = invoice["amount_due"], invoice["amount_remaining"]
    if remaining and not off_stripe:
        invoice_charging.settle_payment(tx, invoice)
    after = tx.put(
        {
            **invoice,
            **transition(invoice, "pay", paid_at=tx.now),
            "amount_paid": due,
            "amount_paid_off_stripe": remaining if off_stripe else 0,
            "amount_remaining": 0,
            "attempt_count": invoice["attempt_count"] + attempted,
            "attempted": True,
            "auto_advance": False,
            "next_payment_attempt": None,
            "status_details": None,
        }
    )
    tx.emit("invoice.paid", after)
    if not off_stripe:
        tx.emit("invoice.payment_succeeded", after)
    subscription_following.after_payment(tx, after, method_id)
    return after


def pay_off_stripe(tx: Transaction, invoice: Record) -> JsonObject:
    """Somebody says that the money came outside Stripe: nothing is charged."""
    invoice_charging.withdraw(tx, invoice)
    return mark_paid(tx, invoice, off_stripe=True)


def void(tx: Transaction, invoice: Record) -> JsonObject:
    """The invoice was a mistake: no money is asked, an applied balance is given back."""
    after = tx.put(
        {
            **invoice,
            **transition(invoice, "void", voided_at=tx.now),
            "auto_advance": False,
            "next_payment_attempt": None,
            "status_details": None,
        }
    )
    invoice_charging.withdraw(tx, after)
    _give_balance_back(tx, after)
    tx.emit("invoice.voided", after)
    subscription_following.after_writing_off(tx, after)
    return after


def mark_uncollectible(
    tx: Transaction, invoice: Record, *, reason: str = "user_forgiven"
) -> JsonObject:
    """The money will probably never come; it may still be paid or voided."""
    after = tx.put(
        {
            **invoice,
            **transition(invoice, "mark uncollectible", marked_uncollectible_at=tx.now),
            "auto_advance": False,
            "next_payment_attempt": None,
            "status_details": {"uncollectible": {"reason": reason}},
        }
    )
    tx.emit("invoice.marked_uncollectible", after)
    subscription_following.after_writing_off(tx, after)
    return after


def send(tx: Transaction, invoice: Record) -> JsonObject:
    """The customer gets the invoice by mail."""
    tx.emit("invoice.sent", invoice)
    return dict(invoice)


def _first_attempt(tx: Transaction, invoice: Record, *, auto_advance: bool | None) -> int | None:
    if not auto_advance or invoice["collection_method"] == "send_invoice":
        return None
    return tx.now + HOUR_SECONDS


def _note_refusal(
    tx: Transaction,
    invoice: Record,
    *,
    retries: bool,
    followed: bool = True,
    needs_action: bool = False,
    counts: bool = True,
) -> JsonObject:
    attempts = invoice["attempt_count"] + counts
    subscription = billed_subscription(tx, invoice)
    first = subscription is not None and subscription["status"] == "incomplete"
    tries_again = retries and invoice["auto_advance"] and not first
    retry = retry_at(attempts, tx.now) if tries_again else None
    after = tx.put(
        {
            **invoice,
            "attempt_count": attempts,
            "attempted": True,
            "auto_advance": retry is not None or (invoice["auto_advance"] and not tries_again),
            "next_payment_attempt": retry,
        }
    )
    if needs_action:
        tx.emit("invoice.payment_action_required", after)
    tx.emit("invoice.payment_failed", after)
    if followed:
        subscription_following.after_refusal(tx, after, final=tries_again and retry is None)
    return after


def _give_balance_back(tx: Transaction, invoice: Record) -> None:
    applied = invoice["ending_balance"] - invoice["starting_balance"]
    if applied:
        links = {"invoice": invoice["id"], "currency": invoice["currency"]}
        customer_credit.change_balance(
            tx, invoice["customer"], -applied, "unapplied_from_invoice", **links
        )


def receive_part(tx: Transaction, invoice: Record, intent: Record) -> JsonObject:
    """A payment intent that was attached to the open invoice has succeeded: what remains is less,
    and the invoice is paid once nothing remains."""
    amount = invoice_charging.settle_attached(tx, intent)
    paid = invoice["amount_paid"] + amount
    after = tx.change(
        invoice,
        "invoice.updated",
        amount_paid=paid,
        amount_remaining=invoice["amount_due"] - paid,
    )
    invoice_charging.ask_only(tx, after, after["amount_remaining"])
    if after["amount_remaining"] == 0:
        return mark_paid(tx, after, method_id=intent["payment_method"])
    return after


def settle_intent(tx: Transaction, intent: Record) -> None:
    """A payment intent changed outside an invoice's own attempt: by its client, or by its bank
    days later. The invoice that it pays, if any, follows."""
    found = invoice_charging.invoice_of(tx, intent)
    if found is None or found["status"] not in {"open", "uncollectible"}:
        return
    clock = clock_of(tx, found)
    if clock is not None:
        tx.now = clock["frozen_time"]
    if invoice_charging.pays_a_part(tx, intent):
        if intent["status"] == "succeeded":
            receive_part(tx, found, intent)
    elif intent["status"] == "succeeded":
        mark_paid(tx, found, method_id=intent["payment_method"], attempted=not found["attempted"])
    elif intent["status"] == "requires_payment_method":
        _note_refusal(tx, found, retries=True, counts=not found["attempted"])


def billed_subscription(tx: Transaction, invoice: Record) -> Record | None:
    """The subscription that the invoice bills, if it bills one."""
    subscription_id = subscription_of(invoice)
    return None if subscription_id is None else tx.find("subscription", subscription_id)


def miss(tx: Transaction, invoice: Record) -> None:
    """The invoice is not paid in time, and nobody is charged for it."""
    subscription_following.after_refusal(tx, invoice, final=False)
