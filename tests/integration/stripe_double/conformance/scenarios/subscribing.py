"""Subscriptions, their items and schedules, test clocks, meters."""

from __future__ import annotations

from tests.integration.stripe_double.conformance.in_process import Shop
from tests.integration.stripe_double.conformance.scenarios import stock


def life(shop: Shop) -> None:
    subscriptions = shop.v1.subscriptions
    made = stock.subscribed(
        shop, metadata={"a": "b"}, description="Pro", expand=["latest_invoice.payments"]
    )
    subscriptions.retrieve(made.id, {"expand": ["latest_invoice", "customer"]})
    item = made["items"].data[0].id
    subscriptions.update(made.id, {"items": [{"id": item, "quantity": 3}]})
    subscriptions.update(
        made.id,
        {
            "items": [{"id": item, "price": stock.monthly(shop, 3000)}],
            "proration_behavior": "always_invoice",
        },
    )
    subscriptions.update(made.id, {"cancel_at_period_end": True})
    subscriptions.update(made.id, {"cancel_at_period_end": False})
    shop.control.advance(70 * stock.DAY)
    subscriptions.list({"status": "all", "limit": 3})
    subscriptions.cancel(made.id, {"cancellation_details": {"comment": "bye"}})


def end_of_period(shop: Shop) -> None:
    made = stock.subscribed(shop)
    shop.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    shop.control.advance(33 * stock.DAY)


def cancel_with_credit(shop: Shop) -> None:
    made = stock.subscribed(shop)
    shop.control.advance(10 * stock.DAY)
    shop.v1.subscriptions.cancel(made.id, {"invoice_now": True, "prorate": True})


def unpaid(shop: Shop) -> None:
    made = stock.bought(shop)
    shop.control.renew(made.subscription, decline_code="generic_decline")
    shop.control.advance(30 * stock.DAY)


def incomplete(shop: Shop) -> None:
    customer = stock.payer(shop, "pm_card_chargeCustomerFail").id
    stock.subscribed(shop, customer=customer, payment_behavior="default_incomplete")
    stock.subscribed(shop, customer=customer, payment_behavior="allow_incomplete")
    shop.control.advance(2 * stock.DAY)


def trial(shop: Shop) -> None:
    made = stock.subscribed(shop, trial_period_days=7)
    shop.control.advance(5 * stock.DAY)
    shop.v1.subscriptions.update(made.id, {"trial_end": "now"})
    paused = stock.subscribed(
        shop,
        customer=shop.v1.customers.create({}).id,
        trial_period_days=3,
        trial_settings={"end_behavior": {"missing_payment_method": "pause"}},
    )
    shop.control.advance(4 * stock.DAY)
    shop.v1.subscriptions.retrieve(paused.id)


def paused_collection(shop: Shop) -> None:
    made = stock.subscribed(shop)
    shop.v1.subscriptions.update(made.id, {"pause_collection": {"behavior": "void"}})
    shop.control.advance(32 * stock.DAY)
    shop.v1.subscriptions.update(made.id, {"pause_collection": ""})


def resumed(shop: Shop) -> None:
    customer = shop.v1.customers.create({"email": "ada@example.com"}).id
    made = stock.subscribed(
        shop,
        customer=customer,
        trial_period_days=3,
        trial_settings={"end_behavior": {"missing_payment_method": "pause"}},
    )
    shop.control.advance(4 * stock.DAY)
    method = shop.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    shop.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method.id}})
    shop.v1.subscriptions.resume(made.id, {"billing_cycle_anchor": {"type": "now"}})
    shop.v1.subscriptions.pause(made.id, {"type": "subscription"})
    shop.v1.subscriptions.resume(made.id)


def sent_invoices(shop: Shop) -> None:
    stock.subscribed(shop, collection_method="send_invoice", days_until_due=10)
    shop.control.advance(32 * stock.DAY)


def items(shop: Shop) -> None:
    made = stock.subscribed(shop)
    items = shop.v1.subscription_items
    added = items.create({"subscription": made.id, "price": stock.monthly(shop, 400)})
    items.update(added.id, {"quantity": 2, "metadata": {"a": "b"}})
    items.retrieve(added.id)
    items.list({"subscription": made.id})
    items.delete(added.id)


def schedules(shop: Shop) -> None:
    schedules = shop.v1.subscription_schedules
    first, second = stock.monthly(shop, 1000), stock.monthly(shop, 2000)
    made = schedules.create(
        {
            "customer": stock.payer(shop).id,
            "start_date": "now",
            "end_behavior": "release",
            "phases": [
                {"items": [{"price": first}], "duration": {"interval": "month"}},
                {"items": [{"price": second}], "duration": {"interval": "month"}},
            ],
        }
    )
    schedules.update(made.id, {"metadata": {"a": "b"}})
    schedules.retrieve(made.id)
    schedules.list({"customer": made.customer})
    shop.control.advance(40 * stock.DAY)
    schedules.release(made.id)
    other = schedules.create({"from_subscription": stock.subscribed(shop).id})
    schedules.cancel(other.id)


def clocks(shop: Shop) -> None:
    clocks = shop.v1.test_helpers.test_clocks
    made = clocks.create({"frozen_time": 1_800_000_000, "name": "a year"})
    customer = stock.payer(shop, test_clock=made.id).id
    stock.subscribed(shop, customer=customer)
    clocks.advance(made.id, {"frozen_time": 1_800_000_000 + 40 * stock.DAY})
    clocks.retrieve(made.id)
    clocks.list()
    clocks.delete(made.id)


def meters(shop: Shop) -> None:
    meters = shop.v1.billing.meters
    made = meters.create(
        {
            "display_name": "Calls",
            "event_name": "calls",
            "default_aggregation": {"formula": "sum"},
            "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
            "value_settings": {"event_payload_key": "value"},
        }
    )
    meters.update(made.id, {"display_name": "API calls"})
    meters.retrieve(made.id)
    meters.list({"status": "active"})
    customer = stock.payer(shop).id
    events = shop.v1.billing.meter_events
    event = events.create(
        {"event_name": "calls", "payload": {"stripe_customer_id": customer, "value": "7"}}
    )
    shop.v1.billing.meter_event_adjustments.create(
        {
            "event_name": "calls",
            "type": "cancel",
            "cancel": {"identifier": event.identifier},
        }
    )
    events.create(
        {"event_name": "calls", "payload": {"stripe_customer_id": customer, "value": "5"}}
    )
    start = 1_800_000_000 // stock.DAY * stock.DAY
    meters.event_summaries.list(
        made.id,
        {
            "customer": customer,
            "start_time": start,
            "end_time": start + 2 * stock.DAY,
            "value_grouping_window": "day",
        },
    )
    meters.deactivate(made.id)
    meters.reactivate(made.id)


def metered(shop: Shop) -> None:
    made = shop.v1.billing.meters.create(
        {
            "display_name": "Calls",
            "event_name": "calls",
            "default_aggregation": {"formula": "sum"},
        }
    )
    customer = stock.payer(shop).id
    price = stock.monthly(
        shop, 3, recurring={"interval": "month", "usage_type": "metered", "meter": made.id}
    )
    stock.subscribed(shop, customer=customer, items=[{"price": price}])
    shop.v1.billing.meter_events.create(
        {"event_name": "calls", "payload": {"stripe_customer_id": customer, "value": "9"}}
    )
    shop.control.advance(33 * stock.DAY)


SCENARIOS = (
    life,
    end_of_period,
    cancel_with_credit,
    unpaid,
    incomplete,
    trial,
    paused_collection,
    resumed,
    sent_invoices,
    items,
    schedules,
    clocks,
    meters,
    metered,
)
