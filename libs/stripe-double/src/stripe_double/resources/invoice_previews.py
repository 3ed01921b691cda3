"""`invoices.create_preview`: an invoice as it would be, nothing stored and nothing announced."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, parameter_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import subscription_updates
from stripe_double.resources.clock_time import stand_at
from stripe_double.resources.invoice_discounts import total_off
from stripe_double.resources.invoice_items import pending_for
from stripe_double.resources.invoice_lines import describe, invoice_item_line, pricing
from stripe_double.resources.invoice_objects import draft
from stripe_double.resources.invoice_states import amounts, settled_balance
from stripe_double.resources.item_prices import one_time_price, quantity_of
from stripe_double.resources.operations import Call, operation
from stripe_double.resources.subscription_creation import begun_lines, decide_beginning
from stripe_double.resources.subscription_notices import renewal_lines
from stripe_double.resources.subscription_prorations import proration_line
from stripe_double.resources.subscription_states import TERMINAL, first_period_end, with_items


def create_preview(tx: Transaction, call: Call) -> JsonObject:
    """POST /v1/invoices/create_preview"""
    params = call.params
    subscription = None
    if params.get("subscription"):
        subscription = tx.get("subscription", params["subscription"], param="subscription")
    customer_id = params.get("customer") or (subscription or {}).get("customer")
    if not customer_id:
        raise parameter_missing("customer")
    customer = tx.get("customer", customer_id, param="customer")
    stand_at(tx, customer)
    lines, billed, at = _lines(tx, customer, subscription, params)
    currency = str(params.get("currency") or (billed or {}).get("currency") or "")
    currency = (currency or str(customer["currency"] or "usd")).lower()
    lines += [
        _extra(tx, one, currency, f"invoice_items[{index}]")
        for index, one in enumerate(params.get("invoice_items") or [])
    ]
    if not lines:
        raise invalid_request(
            "No upcoming invoices for customer", code="invoice_upcoming_none", status=404
        )
    return _shown(tx, customer, billed, lines, currency=currency, at=at)


def _lines(
    tx: Transaction, customer: Record, subscription: Record | None, params: JsonObject
) -> tuple[list[JsonObject], Record | None, int]:
    details = params.get("subscription_details") or {}
    if subscription is None and details.get("items"):
        given = {**details, "customer": customer["id"]}
        beginning = decide_beginning(tx, customer, given)
        return begun_lines(tx, beginning), beginning.record, tx.now
    if subscription is None:
        currency = str(params.get("currency") or customer["currency"] or "usd").lower()
        waiting = pending_for(tx, customer["id"], currency, None)
        return [invoice_item_line(item) for item in waiting], None, tx.now
    if subscription["status"] in TERMINAL:
        raise invalid_request(
            "No upcoming invoices for a subscription that has ended.",
            code="invoice_upcoming_none",
            status=404,
        )
    return _of_subscription(tx, subscription, details)


def _of_subscription(
    tx: Transaction, subscription: Record, details: JsonObject
) -> tuple[list[JsonObject], Record, int]:
    if details.get("cancel_now"):
        given = {key: value for key, value in details.items() if key != "cancel_now"}
        return _at_its_end(tx, subscription, given), subscription, tx.now
    decision = subscription_updates.decide(tx, subscription, details)
    plan = decision.plan
    after = {**subscription, **decision.values}
    if plan is None:
        return renewal_lines(tx, after), after, first_period_end(after)
    after["items"] = with_items(subscription, plan.items)
    if decision.invoices_now:
        return subscription_updates.drafts_of(tx, subscription, decision), after, tx.now
    prorations = [proration_line(tx, subscription, one) for one in plan.prorations]
    return [*prorations, *renewal_lines(tx, after)], after, first_period_end(after)


def _at_its_end(tx: Transaction, subscription: Record, details: JsonObject) -> list[JsonObject]:
    waiting = pending_for(
        tx, subscription["customer"], subscription["currency"], subscription["id"]
    )
    lines = [invoice_item_line(item) for item in waiting]
    if details.get("proration_behavior") == "none":
        return lines
    prorations = subscription_updates.credits_now(tx, subscription, details)
    return [*lines, *(proration_line(tx, subscription, one) for one in prorations)]


def _extra(tx: Transaction, given: Record, currency: str, name: str) -> JsonObject:
    quantity = quantity_of(given, name)
    fields: JsonObject = {
        "id": None,
        "currency": currency,
        "description": given.get("description"),
        "discountable": True,
        "metadata": {},
        "parent": None,
        "period": given.get("period") or {"end": tx.now, "start": tx.now},
        "pricing": None,
        "proration": False,
        "proration_details": None,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
    }
    if given.get("price") or given.get("price_data"):
        price = one_time_price(tx, given, name)
        fields |= {
            "amount": price["unit_amount"] * quantity,
            "description": fields["description"] or describe(tx, price, quantity),
            "pricing": pricing(price),
        }
    elif "amount" in given:
        fields["amount"] = given["amount"]
    else:
        raise parameter_missing(f"{name}[amount]")
    return invoice_item_line(fields)


def _shown(
    tx: Transaction,
    customer: Record,
    subscription: Record | None,
    lines: list[JsonObject],
    *,
    currency: str,
    at: int,
) -> JsonObject:
    token = tx.new_id("invoice").removeprefix("in_")
    numbered = [
        {**line, "id": f"il_tmp_{token}{index}", "invoice": f"upcoming_in_{token}"}
        for index, line in enumerate(lines)
    ]
    preview = draft(
        tx,
        invoice_id="",
        customer=customer,
        subscription=subscription,
        lines=numbered,
        currency=currency,
        billing_reason="upcoming",
    )
    due, ending = settled_balance(preview["total"], customer["balance"])
    return {
        **preview,
        **amounts(preview["total"], due=due, paid=0, discount=total_off(preview)),
        "id": f"upcoming_in_{token}",
        "created": at,
        "ending_balance": ending,
        "next_payment_attempt": at,
        "period_end": at,
        "period_start": tx.now,
        "starting_balance": customer["balance"],
    }


_ITEMS = (
    "subscription_details.items[].id subscription_details.items[].price "
    "subscription_details.items[].quantity subscription_details.items[].deleted "
    "subscription_details.items[].price_data.currency "
    "subscription_details.items[].price_data.product "
    "subscription_details.items[].price_data.unit_amount "
    "subscription_details.items[].price_data.recurring.interval "
    "subscription_details.items[].price_data.recurring.interval_count"
)
_EXTRAS = (
    "invoice_items[].amount invoice_items[].currency invoice_items[].description "
    "invoice_items[].price invoice_items[].quantity invoice_items[].period.start "
    "invoice_items[].period.end invoice_items[].price_data.currency "
    "invoice_items[].price_data.product invoice_items[].price_data.unit_amount"
)
OPERATION = operation(
    "invoices.create_preview",
    "POST /v1/invoices/create_preview",
    create_preview,
    f"customer currency subscription preview_mode {_ITEMS} {_EXTRAS} "
    "subscription_details.proration_behavior subscription_details.proration_date "
    "subscription_details.billing_cycle_anchor.type subscription_details.cancel_at "
    "subscription_details.cancel_at_period_end subscription_details.cancel_now "
    "subscription_details.trial_end subscription_details.billing_mode.type",
    {
        "preview_mode": frozenset({"next"}),
        "subscription_details.billing_mode.type": frozenset({"flexible"}),
    },
)
