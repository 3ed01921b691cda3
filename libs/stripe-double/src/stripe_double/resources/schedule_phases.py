"""The phases of a subscription schedule: read from parameters, each with its beginning and end."""

from __future__ import annotations

from stripe_double.engine.errors import invalid_request, parameter_missing
from stripe_double.engine.records import JsonObject, Record
from stripe_double.engine.transactions import Transaction
from stripe_double.resources import metadata
from stripe_double.resources.item_prices import quantity_of, recurring_price
from stripe_double.resources.periods import period_end

MAX_PHASES = 10


def new_phases(tx: Transaction, given: list[Record], start: int) -> list[JsonObject]:
    """Phases one after another from the second `start`; ApiError 400."""
    if not given:
        raise parameter_missing("phases")
    if len(given) > MAX_PHASES:
        raise invalid_request(f"A schedule has at most {MAX_PHASES} phases.", param="phases")
    phases: list[JsonObject] = []
    for index, one in enumerate(given):
        begins = one.get("start_date")
        begins = tx.now if begins == "now" else begins
        if begins is not None and begins != start:
            raise invalid_request(
                "A phase must start where the one before it ends.",
                param=f"phases[{index}][start_date]",
            )
        phase = _phase(tx, one, start, index)
        if phases and phase["currency"] != phases[0]["currency"]:
            raise invalid_request("All phases have one currency.", param=f"phases[{index}]")
        phases.append(phase)
        start = phase["end_date"]
    return phases


def phase_of_subscription(subscription: Record, start: int, end: int) -> JsonObject:
    """The phase that a subscription is in, as `from_subscription` makes it."""
    items = [
        _item(item["price"]["id"], item["quantity"], item["metadata"])
        for item in subscription["items"]["data"]
    ]
    trial_end = subscription["trial_end"] if subscription["status"] == "trialing" else None
    return {
        **_phase_record(items, subscription["currency"], start, end),
        "default_payment_method": subscription["default_payment_method"],
        "metadata": subscription["metadata"],
        "trial_end": trial_end,
    }


def same_items(one: Record, other: Record) -> bool:
    """Whether two phases sell the same."""
    names = ("price", "quantity")
    return [[item[n] for n in names] for item in one["items"]] == [
        [item[n] for n in names] for item in other["items"]
    ]


def item_params(tx: Transaction, phase: Record, subscription: Record | None) -> list[JsonObject]:
    """The `items` parameter that brings a subscription (None: a new one) to this phase.

    Its prices were checked when the phase was made; one archived since still works.
    """
    wanted = {item["price"]: item for item in phase["items"]}
    if subscription is None:
        return [_params(tx, item) for item in phase["items"]]
    current = list(subscription["items"]["data"])
    stay = {item["price"]["id"]: item for item in current if item["price"]["id"] in wanted}
    leave = [item for item in current if item["price"]["id"] not in wanted]
    params = []
    for price_id, item in wanted.items():
        if price_id in stay:
            params.append({**_params(tx, item), "id": stay[price_id]["id"]})
        elif leave:
            params.append({**_params(tx, item), "id": leave.pop(0)["id"]})
        else:
            params.append(_params(tx, item))
    return params + [{"id": item["id"], "deleted": True} for item in leave]


def _params(tx: Transaction, item: Record) -> JsonObject:
    return {
        "price": item["price"],
        "price_record": tx.store.find("price", item["price"]),
        "quantity": item["quantity"],
        "metadata": item["metadata"],
    }


def _phase(tx: Transaction, given: Record, start: int, index: int) -> JsonObject:
    name = f"phases[{index}]"
    if not given.get("items"):
        raise parameter_missing(f"{name}[items]")
    items, recurring, currency = [], None, None
    for position, one in enumerate(given["items"]):
        price = recurring_price(tx, one, f"{name}[items][{position}]")
        quantity = quantity_of(one, f"{name}[items][{position}]")
        items.append(_item(price["id"], quantity, metadata.given(dict(one))))
        recurring = recurring or price["recurring"]
        currency = currency or price["currency"]
        if price["currency"] != currency:
            raise invalid_request("A phase has one currency.", param=f"{name}[items]")
    if len({item["price"] for item in items}) < len(items):
        raise invalid_request("A phase sells each price once.", param=f"{name}[items]")
    end = _end(tx, given, start, recurring or {}, name)
    trial_end = end if given.get("trial") else given.get("trial_end")
    if trial_end is not None and not start < trial_end <= end:
        raise invalid_request("A trial must end in its phase.", param=f"{name}[trial_end]")
    return {
        **_phase_record(items, str(currency), start, end),
        "collection_method": given.get("collection_method"),
        "default_payment_method": given.get("default_payment_method"),
        "description": given.get("description") or None,
        "metadata": metadata.given(dict(given)),
        "proration_behavior": given.get("proration_behavior") or "create_prorations",
        "trial_end": trial_end,
    }


def _end(tx: Transaction, given: Record, start: int, recurring: Record, name: str) -> int:
    end, duration = given.get("end_date"), given.get("duration")
    if end is not None and duration:
        raise invalid_request(
            "You may only specify one of these parameters: duration, end_date.",
            param=f"{name}[end_date]",
        )
    if end == "now":
        end = tx.now
    if end is None:
        given_rhythm = {"interval_count": 1, **duration} if duration else recurring
        return period_end(start, given_rhythm, anchor=start)
    if end <= start:
        raise invalid_request("A phase must end after it starts.", param=f"{name}[end_date]")
    return int(end)


def _item(price_id: str, quantity: int, given: Record) -> JsonObject:
    return {
        "billing_thresholds": None,
        "discounts": [],
        "metadata": dict(given),
        "plan": price_id,
        "price": price_id,
        "quantity": quantity,
        "tax_rates": [],
    }


def _phase_record(items: list[JsonObject], currency: str, start: int, end: int) -> JsonObject:
    return {
        "add_invoice_items": [],
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": None,
        "billing_thresholds": None,
        "collection_method": None,
        "currency": currency,
        "default_payment_method": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "end_date": end,
        "invoice_settings": None,
        "items": items,
        "metadata": {},
        "on_behalf_of": None,
        "proration_behavior": "create_prorations",
        "start_date": start,
        "transfer_data": None,
        "trial_end": None,
    }
