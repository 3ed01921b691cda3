"""Billing meters: events counted once, within their time, and summed per customer."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

HOUR, DAY = 3600, 24 * 3600


@pytest.fixture
def meter(shop: Any) -> Any:
    return shop.client.v1.billing.meters.create(
        {
            "display_name": "API calls",
            "event_name": "api_call",
            "default_aggregation": {"formula": "sum"},
        }
    )


def now(shop: Any) -> int:
    return int(shop.double.call(lambda control: control.advance(0)))


def report(shop: Any, value: Any = 1, **changes: Any) -> Any:
    payload = {"stripe_customer_id": shop.customer, "value": str(value)}
    params = {"event_name": "api_call", "payload": payload, **changes}
    return shop.client.v1.billing.meter_events.create(params)


def used(shop: Any, meter: Any, **changes: Any) -> list[float]:
    start = now(shop) // DAY * DAY
    params = {
        "customer": shop.customer,
        "start_time": start,
        "end_time": start + DAY,
        **changes,
    }
    found = shop.client.v1.billing.meters.event_summaries.list(meter.id, params)
    return [summary.aggregated_value for summary in found.data]


def test_a_meter_is_made_renamed_and_switched_off_and_on(shop: Any, meter: Any) -> None:
    meters = shop.client.v1.billing.meters
    assert (meter.status, meter.customer_mapping.event_payload_key) == (
        "active",
        "stripe_customer_id",
    )
    assert meters.update(meter.id, {"display_name": "Calls"}).display_name == "Calls"
    off = meters.deactivate(meter.id)
    assert (off.status, off.status_transitions.deactivated_at) == ("inactive", off.updated)
    with pytest.raises(stripe.InvalidRequestError, match="deactivate"):
        meters.deactivate(meter.id)
    with pytest.raises(stripe.InvalidRequestError, match="No active meter"):
        report(shop)
    assert meters.reactivate(meter.id).status == "active"
    assert [m.id for m in meters.list({"status": "active"}).data] == [meter.id]
    assert [t for t in shop.event_types() if t.startswith("billing.meter.")] == [
        "billing.meter.created",
        "billing.meter.updated",
        "billing.meter.deactivated",
        "billing.meter.reactivated",
    ]
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        meters.create(
            {
                "display_name": "Twice",
                "event_name": "api_call",
                "default_aggregation": {"formula": "count"},
            }
        )


def test_events_are_summed_per_customer(shop: Any, meter: Any) -> None:
    made = report(shop, 5, identifier="one")
    assert (made.identifier, made.event_name, made.payload.value) == ("one", "api_call", "5")
    report(shop, "2.5")
    other = shop.client.v1.customers.create({"email": "other@example.com"})
    payload = {"stripe_customer_id": other.id, "value": "100"}
    report(shop, payload=payload)
    assert used(shop, meter) == [7.5]
    assert used(shop, meter, customer=other.id) == [100]


def test_an_identifier_counts_once_a_day(shop: Any, meter: Any) -> None:
    report(shop, 3, identifier="one")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        report(shop, 3, identifier="one")
    assert caught.value.error.code == "duplicate_meter_event"
    assert sum(used(shop, meter)) == 3
    shop.double.call(lambda control: control.advance(DAY + 1))
    report(shop, 4, identifier="one")
    assert used(shop, meter) == [4]


def test_an_event_is_taken_back_within_a_day(shop: Any, meter: Any) -> None:
    report(shop, 3, identifier="one")
    report(shop, 1, identifier="two")
    adjust = {"event_name": "api_call", "type": "cancel", "cancel": {"identifier": "one"}}
    adjustments = shop.client.v1.billing.meter_event_adjustments
    assert adjustments.create(adjust).status == "complete"
    assert used(shop, meter) == [1]
    adjust["cancel"] = {"identifier": "none"}
    with pytest.raises(stripe.InvalidRequestError, match="last 24 hours"):
        adjustments.create(adjust)


def test_timestamps_have_bounds(shop: Any, meter: Any) -> None:
    moment = now(shop)
    report(shop, timestamp=moment - 34 * DAY)
    report(shop, timestamp=moment + 240)
    for shift, code in (
        (-35 * DAY - 60, "timestamp_too_far_in_past"),
        (360, "timestamp_in_future"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            report(shop, timestamp=moment + shift)
        assert (caught.value.error.code, caught.value.param) == (code, "timestamp")


def test_windows_group_by_hour_and_leave_empty_ones_out(shop: Any, meter: Any) -> None:
    start = now(shop) // DAY * DAY - DAY
    for hour, value in ((1, 1), (1, 2), (5, 4)):
        report(shop, value, timestamp=start + hour * HOUR + 60)
    times = {"start_time": start, "end_time": start + DAY}
    assert used(shop, meter, value_grouping_window="hour", **times) == [4, 3]
    assert used(shop, meter, **times) == [7]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        used(shop, meter, start_time=start + 1)
    assert caught.value.param == "start_time"


@pytest.mark.parametrize(("formula", "wanted"), [("count", 3.0), ("last", 2.0)])
def test_other_formulas(shop: Any, formula: str, wanted: float) -> None:
    meter = shop.client.v1.billing.meters.create(
        {
            "display_name": "Seats",
            "event_name": "api_call",
            "default_aggregation": {"formula": formula},
        }
    )
    for value in (7, 9, 2):
        report(shop, value)
    assert used(shop, meter) == [wanted]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"stripe_customer_id": "cus_none", "value": "1"}, "meter_event_customer_not_found"),
        ({"value": "1"}, "meter_event_customer_not_found"),
        ({"stripe_customer_id": "", "value": "1"}, "meter_event_customer_not_found"),
    ],
)
def test_a_payload_names_a_customer(shop: Any, meter: Any, payload: Any, code: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        report(shop, payload=payload)
    assert caught.value.error.code == code


@pytest.mark.parametrize("value", ["many", "NaN", "Infinity"])
def test_a_value_is_a_number(shop: Any, meter: Any, value: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        report(shop, value)
    assert caught.value.error.code == "meter_event_invalid_value"


def test_what_is_not_modelled_fails_loudly(shop: Any) -> None:
    with pytest.raises(stripe.APIError) as caught:
        shop.client.v1.billing.meters.create(
            {
                "display_name": "Pre-aggregated",
                "event_name": "x",
                "default_aggregation": {"formula": "sum"},
                "event_time_window": "hour",
            }
        )
    assert caught.value.http_status == 501
