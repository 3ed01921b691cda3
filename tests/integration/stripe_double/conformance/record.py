"""All scenarios run once; what was said and what happened, sorted for the tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import stripe
from tests.integration.stripe_double.conformance.in_process import Exchange, Shop
from tests.integration.stripe_double.conformance.parameter_leaves import leaves
from tests.integration.stripe_double.conformance.scenarios import (
    billing,
    buying,
    catalogue,
    listening,
    paying,
    subscribing,
)
from tests.integration.stripe_double.conformance.watched import Watched

from stripe_double.http import pipeline
from stripe_double.resources.catalog import OPERATIONS
from stripe_double.wire.parameters import ALWAYS_MODELLED
from stripe_double.wire.tables import table_of

NOT_MODELLED = "not_modelled_by_stripe_double"
_MODULES = (catalogue, buying, subscribing, billing, paying, listening)
SCENARIOS: dict[str, Callable[[Shop], None]] = {
    f"{module.__name__.split('.')[-1]}.{scenario.__name__}": scenario
    for module in _MODULES
    for scenario in module.SCENARIOS
}

# Scenarios that go beyond what is modelled today: they may end at the loud refusal.
BEYOND = frozenset(
    {
        "catalogue.tiers",
        "catalogue.tokens",
        "paying.direct_charges",
        "paying.refund_expired",
        "subscribing.metered",
    }
)


@dataclass
class Record:
    """`by_sdk` and `swept`: exchanges by route; `events`: by type; `failures`: by scenario."""

    by_sdk: dict[str, list[Exchange]] = field(default_factory=lambda: defaultdict(list))
    swept: dict[str, list[Exchange]] = field(default_factory=lambda: defaultdict(list))
    events: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By operation: parameters that were sent and that its handler did not even look at."""


def run_all(patch: pytest.MonkeyPatch) -> Record:
    """Every scenario in a world of its own, then every object of that world, read again."""
    record = Record()
    calls: list[tuple[Any, Watched]] = []
    find_route, call = pipeline.find_route, pipeline.Call

    def watched_call(object_id: str, params: Any, *rest: Any, **named: Any) -> Any:
        calls[-1] = (calls[-1][0], Watched(params))
        return call(object_id, calls[-1][1], *rest, **named)

    def noted_route(*arguments: Any) -> Any:
        route = find_route(*arguments)
        calls.append((route.operation, Watched({})))
        return route

    patch.setattr(pipeline, "find_route", noted_route)
    patch.setattr(pipeline, "Call", watched_call)
    for name, scenario in SCENARIOS.items():
        shop = Shop(seed=name)
        try:
            scenario(shop)
        except stripe.StripeError as error:
            if error.http_status != 501 or name not in BEYOND:
                record.failures[name] = f"{error.http_status} {error.code} {error.user_message}"
        for exchange in shop.exchanges:
            record.by_sdk[exchange.route].append(exchange)
        _sweep(shop, record)
        shop.close()
        for row, params in calls:
            record.ignored[row.name] |= {path for path in params.unread() if _matters(row, path)}
        calls.clear()
    return record


def _matters(row: Any, path: str) -> bool:
    """Whether to ignore this parameter is to ignore something: one with one value says nothing."""
    only = (row.model.only or {}).get(path)
    place = leaves(table_of(row.route)).get(path)
    choices = set(place.choices) if place else set()
    choices = choices & set(only) if only and choices else choices or set(only or ())
    return path not in ALWAYS_MODELLED | {"expand"} and len(choices) != 1


def _sweep(shop: Shop, record: Record) -> None:
    told = len(shop.exchanges)
    one = {row.path for row in OPERATIONS if row.method == "GET"}
    for row in OPERATIONS:
        if row.method != "GET" or "{id}" in row.path or f"{row.path}/{{id}}" not in one:
            continue
        if row.path == "/v1/events":
            continue  # each is in `events` already
        query = "limit=100&status=all" if row.path == "/v1/subscriptions" else "limit=100"
        status, listed = shop.ask("GET", row.path, query)
        for found in listed["data"] if status == 200 else ():
            shop.ask("GET", f"{row.path}/{found['id']}")
    for exchange in shop.exchanges[told:]:
        record.swept[exchange.route].append(exchange)
    for event in shop.control.objects("event"):
        if event["type"].startswith("v2."):
            continue  # thin only: read through `/v2/core/events`
        record.events[event["type"]].append(event)
