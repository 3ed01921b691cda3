"""How a subscription begins: by the API, or because a buyer completed a Checkout Session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stripe_double.engine.errors import ApiError, card_declined, invalid_request
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata, subscription_billing
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.discounts import Choice, chosen
from stripe_double.resources.invoice_items import new_invoice_item
from stripe_double.resources.invoice_lines import describe, pricing
from stripe_double.resources.item_prices import one_time_price, quantity_of
from stripe_double.resources.operations import Call
from stripe_double.resources.periods import longest_seconds, period_at, period_end
from stripe_double.resources.proration import remaining
from stripe_double.resources.setup_intents import new_setup_intent
from stripe_double.resources.subscription_cancellation import note_terms
from stripe_double.resources.subscription_discounts import given_to
from stripe_double.resources.subscription_fields import (
    ending,
    plain_fields,
    trial_settings,
    wanted_trial_end,
)
from stripe_double.resources.subscription_item_params import new_items
from stripe_double.resources.subscription_notices import schedule_notices
from stripe_double.resources.subscription_objects import item_record, subscription_record
from stripe_double.resources.subscription_setup import await_setup
from stripe_double.resources.subscription_states import item_amount, payment_method_of


@dataclass(frozen=True, slots=True)
class Beginning:
    """A subscription that is about to begin: its record, and what its first periods cost."""

    record: JsonObject
    amounts: dict[str, int] = field(default_factory=dict)
    extras: list[JsonObject] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)


def create(tx: Transaction, call: Call) -> JsonObject | ApiError:
    """POST /v1/subscriptions"""
    params = call.params
    customer = tx.get("customer", params["customer"], param="customer")
    stand_at(tx, customer)
    beginning = decide_beginning(tx, customer, params)
    behavior = params.get("payment_behavior") or "allow_incomplete"
    return begin(tx, customer, beginning, payment_behavior=behavior)


def begin(
    tx: Transaction, customer: Record, beginning: Beginning, *, payment_behavior: str
) -> JsonObject | ApiError:
    """Store the subscription, bill its first period, collect: the subscription, or a 402."""
    record = beginning.record
    lines = begun_lines(tx, beginning)
    due = subscription_billing.due_of(
        tx, record, [*lines, *beginning.extras], coupons=[one.coupon for one in beginning.choices]
    )
    asks = due > 0 and record["collection_method"] == "charge_automatically"
    if asks and payment_behavior != "default_incomplete":
        _require_method(tx, record, customer)
    if asks and payment_behavior == "error_if_incomplete":
        refusal = subscription_billing.refusal(tx, record, customer)
        if refusal is not None:
            return _refused(tx, record, due, refusal)
    elif asks and record["status"] == "active":
        record = {**record, "status": "incomplete"}
    for extra in beginning.extras:
        new_invoice_item(tx, customer, **extra)
    record = {**record, "discounts": given_to(tx, record, beginning.choices)}
    if not asks and payment_behavior == "default_incomplete":
        record = {**record, "pending_setup_intent": _setup(tx, record, customer)}
    return open_account(tx, record, beginning.amounts, payment_behavior=payment_behavior)


def _setup(tx: Transaction, record: Record, customer: Record) -> str | None:
    """The setup intent by which a card may come, when nothing is asked and none is there."""
    by_card = record["collection_method"] == "charge_automatically"
    if not by_card or payment_method_of(tx, record, customer) is not None:
        return None
    intent = new_setup_intent(tx, customer=customer["id"])
    await_setup(tx, intent, record["id"])
    return str(intent["id"])


def begun_lines(tx: Transaction, beginning: Beginning) -> list[JsonObject]:
    """The lines that the first invoice would have, without what is added to it once."""
    items = beginning.record["items"]["data"]
    return subscription_billing.due_lines(tx, beginning.record, items, beginning.amounts)


def open_account(
    tx: Transaction,
    record: JsonObject,
    amounts: dict[str, int],
    *,
    payment_behavior: str | None,
) -> JsonObject:
    """Store a subscription with its first invoice, announce both, and collect.

    Without `payment_behavior` the invoice stays an hour's draft, as for one that is sent.
    """
    subscription = tx.put(record)
    if subscription["cancel_at"] is not None and not subscription["cancel_at_period_end"]:
        note_terms(tx, subscription["id"], prorates=True)
    _adopt_currency(tx, subscription)
    automatic = subscription["collection_method"] == "charge_automatically"
    invoice = subscription_billing.bill(
        tx,
        subscription,
        subscription["items"]["data"],
        billing_reason="subscription_create",
        auto_advance=not automatic or payment_behavior is None,
        amounts=amounts,
    )
    subscription_billing.note_billed(tx, invoice)
    subscription = tx.put({**subscription, "latest_invoice": invoice["id"]})
    tx.emit("customer.subscription.created", subscription)
    schedule_notices(tx, subscription)
    if automatic and payment_behavior is not None:
        subscription_billing.collect_now(
            tx, subscription, invoice, payment_behavior=payment_behavior
        )
    return dict(tx.get("subscription", subscription["id"]))


def decide_beginning(tx: Transaction, customer: Record, params: JsonObject) -> Beginning:
    """What a subscription with these parameters would be. Nothing is stored; ApiError 400."""
    subscription_id = tx.new_id("subscription")
    items = new_items(tx, subscription_id, params.get("items") or [])
    currency = items[0]["price"]["currency"]
    if params.get("currency") and params["currency"].lower() != currency:
        raise invalid_request(
            f"The prices are in {currency}, not {params['currency']}.", param="currency"
        )
    if customer["currency"] not in {None, currency}:
        raise invalid_request(
            "You cannot combine currencies on a single customer. This customer has had a "
            f"subscription, coupon, or invoice item with currency {customer['currency']}."
        )
    trial_end = wanted_trial_end(tx, params)
    anchor = _anchor(tx, params, items, trial_end)
    amounts: dict[str, int] = {}
    prorates = params.get("proration_behavior") != "none"
    for item in items:
        amounts |= _set_first_period(tx, item, trial_end, anchor, prorates=prorates)
    record = subscription_record(
        tx,
        subscription_id,
        customer=customer,
        items=items,
        status="trialing" if trial_end else "active",
        **plain_fields(tx, customer, params),
        metadata=metadata.given(params),
        billing_cycle_anchor=trial_end or anchor or tx.now,
        trial_end=trial_end,
        trial_start=tx.now if trial_end else None,
        trial_settings=trial_settings(params, None),
    )
    record |= ending(tx, record, params)
    extras = [
        _extra(tx, record, one, f"add_invoice_items[{index}]")
        for index, one in enumerate(params.get("add_invoice_items") or [])
    ]
    choices = chosen(
        tx,
        params.get("discounts"),
        customer=customer["id"],
        amount=sum(item_amount(item) for item in items),
        currency=currency,
    )
    return Beginning(record, amounts, extras, choices)


def subscription_from_session(
    tx: Transaction,
    *,
    customer: Record,
    method: Record | None,
    lines: list[Record],
    data: Record,
    choices: Sequence[Choice] = (),
    session: str | None = None,
) -> JsonObject:
    """The subscription that a completed Checkout Session makes, its first invoice collected.

    `lines` are session line items, `data` is `subscription_data`, `choices` are the coupons of the
    session. The buyer has paid by now: it is
    announced as the settings say (`subscription_starts_as`).
    """
    subscription_id = tx.new_id("subscription")
    trial_end = wanted_trial_end(tx, dict(data))
    items = _first_items(tx, subscription_id, lines, trial_end=trial_end)
    record = subscription_record(
        tx,
        subscription_id,
        customer=customer,
        items=items,
        status="trialing" if trial_end else tx.options.subscription_starts_as,
        billing_cycle_anchor=trial_end or tx.now,
        default_payment_method=None if method is None else method["id"],
        description=data.get("description") or None,
        metadata=metadata.given(dict(data)),
        trial_end=trial_end,
        trial_settings=trial_settings(dict(data), None),
        trial_start=tx.now if trial_end else None,
    )
    record = {**record, "discounts": given_to(tx, record, choices, session=session)}
    return open_account(tx, record, {}, payment_behavior="allow_incomplete")


def _first_items(
    tx: Transaction, subscription_id: str, lines: list[Record], *, trial_end: int | None
) -> list[JsonObject]:
    items = [
        item_record(
            tx, subscription_id, price=line["price"], quantity=line["quantity"], period=(0, 0)
        )
        for line in lines
    ]
    for item in items:
        _set_first_period(tx, item, trial_end, None, prorates=True)
    return items


def _set_first_period(
    tx: Transaction,
    item: JsonObject,
    trial_end: int | None,
    anchor: int | None,
    *,
    prorates: bool,
) -> dict[str, int]:
    """Give a new item its first period; its amount by id, when it is not a whole one."""
    recurring = item["price"]["recurring"]
    amounts: dict[str, int] = {}
    if trial_end is not None:
        end = trial_end
    elif anchor is not None:
        start, end = period_at(tx.now, recurring, anchor=anchor)
        amount = remaining(item_amount(item), start, end, tx.now) if prorates else 0
        amounts = {item["id"]: amount}
    else:
        end = period_end(tx.now, recurring, anchor=tx.now)
    item |= {"current_period_start": tx.now, "current_period_end": end}
    return amounts


def _anchor(
    tx: Transaction, params: JsonObject, items: list[JsonObject], trial_end: int | None
) -> int | None:
    anchor: int | None = params.get("billing_cycle_anchor")
    if anchor is None:
        return None
    if trial_end is not None:
        raise invalid_request(
            "`billing_cycle_anchor` cannot be given together with a trial.",
            param="billing_cycle_anchor",
        )
    if anchor <= tx.now:
        raise invalid_request(
            "`billing_cycle_anchor` must be in the future.", param="billing_cycle_anchor"
        )
    shortest = min(longest_seconds(item["price"]["recurring"]) for item in items)
    if anchor > tx.now + shortest:
        raise invalid_request(
            "`billing_cycle_anchor` cannot be later than the next natural billing date.",
            param="billing_cycle_anchor",
        )
    return anchor


def _extra(tx: Transaction, subscription: Record, given: Record, name: str) -> JsonObject:
    price = one_time_price(tx, given, name)
    quantity = quantity_of(given, name)
    details = {"subscription": subscription["id"], "subscription_item": None}
    return {
        "amount": price["unit_amount"] * quantity,
        "currency": price["currency"],
        "description": describe(tx, price, quantity),
        "metadata": metadata.given(dict(given)),
        "parent": {"subscription_details": details, "type": "subscription_details"},
        "pricing": pricing(price),
        "quantity": quantity,
    }


def _require_method(tx: Transaction, record: Record, customer: Record) -> None:
    if payment_method_of(tx, record, customer) is None:
        raise invalid_request(
            "This customer has no attached payment source or default payment method. Please "
            "consider adding a default payment method.",
            code="resource_missing",
        )


def _refused(tx: Transaction, record: Record, due: int, decline_code: str) -> ApiError:
    tx.note_charge(
        charge=None,
        payment_intent=None,
        amount=due,
        currency=record["currency"],
        customer=record["customer"],
        outcome="declined",
        decline_code=decline_code,
        invoice=None,
        subscription=None,
    )
    return card_declined(decline_code)


def _adopt_currency(tx: Transaction, subscription: Record) -> None:
    customer = tx.get("customer", subscription["customer"])
    if customer["currency"] is None:
        tx.change(customer, "customer.updated", currency=subscription["currency"])
