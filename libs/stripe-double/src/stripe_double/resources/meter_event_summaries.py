"""Meter event summaries: a customer's readings of a meter, added up over a time or per window."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from stripe_double.engine.errors import parameter_invalid
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources.meter_events import READINGS, series_of
from stripe_double.resources.meters import COLLECTION
from stripe_double.resources.operations import Call, operation
from stripe_double.wire.lists import page

_WINDOW_SECONDS = {"hour": 3600, "day": 86_400}
_ALIGNED_SECONDS = 60


def list_all(tx: Transaction, call: Call) -> JsonObject:
    """GET /v1/billing/meters/{id}/event_summaries, newest window first."""
    params = call.params
    meter = tx.get(COLLECTION, call.object_id)
    customer = tx.get("customer", params["customer"], param="customer")
    start, end = params["start_time"], params["end_time"]
    window = _WINDOW_SECONDS.get(params.get("value_grouping_window", ""))
    _check_bounds(start, end, window or _ALIGNED_SECONDS)
    where = {"series": series_of(meter["id"], customer["id"])}
    readings = [
        reading
        for reading in reversed(list(tx.store.newest(READINGS, where=where)))
        if start <= reading["timestamp"] < end and not reading["canceled"]
    ]
    step = window or end - start
    summaries = [
        _summary(meter, begin, begin + step, readings) for begin in range(start, end, step)
    ]
    found = (s for s in reversed(summaries) if window is None or s["aggregated_value"])
    url = f"/v1/billing/meters/{meter['id']}/event_summaries"
    return page(found, params, url=url)


def _check_bounds(start: int, end: int, step: int) -> None:
    for name, value in (("start_time", start), ("end_time", end)):
        if value % step:
            raise parameter_invalid(name, f"The time must be a multiple of {step} seconds (UTC).")
    if end <= start:
        raise parameter_invalid("end_time", "The end must be after the start.")


def _summary(meter: Record, start: int, end: int, readings: Iterable[Record]) -> JsonObject:
    within = [r for r in readings if start <= r["timestamp"] < end]
    suffix = str(meter["id"]).removeprefix("mtr_test_")
    return {
        "id": f"mtrusg_test_{suffix}_{start}_{end}",
        "object": "billing.meter_event_summary",
        "aggregated_value": float(aggregate(meter["default_aggregation"]["formula"], within)),
        "end_time": end,
        "livemode": False,
        "meter": meter["id"],
        "start_time": start,
    }


def aggregate(formula: str, readings: Iterable[Record]) -> Decimal:
    """`count`, `sum`, or the value that was reported for the latest moment (`last`)."""
    values = [(r["timestamp"], at, Decimal(r["value"])) for at, r in enumerate(readings)]
    if formula == "count":
        return Decimal(len(values))
    if formula == "last":
        return max(values)[2] if values else Decimal(0)
    return sum((value for _, _, value in values), Decimal(0))


OPERATIONS = (
    operation(
        "billing.meters.event_summaries",
        "GET /v1/billing/meters/{id}/event_summaries",
        list_all,
        "customer start_time end_time value_grouping_window",
    ),
)
