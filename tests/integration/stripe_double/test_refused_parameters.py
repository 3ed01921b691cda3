"""Unknown to Stripe: 400. Known to Stripe and not modelled: 501. Neither changes anything.

The cases are generated from Stripe's own parameter tables, for every operation of the double.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.stripe_double.conformance.in_process import Shop
from tests.integration.stripe_double.conformance.parameter_leaves import (
    Place,
    emptiable,
    leaves,
    objects,
)

from stripe_double.resources.catalog import OPERATIONS
from stripe_double.resources.operations import Operation
from stripe_double.wire.parameters import ALWAYS_MODELLED
from stripe_double.wire.tables import table_of

NOT_MODELLED = "not_modelled_by_stripe_double"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    shop = Shop(seed="refused")
    yield shop
    shop.close()


def refusal(shop: Shop, row: Operation, place: Place, value: Any = None) -> tuple[int, Any]:
    """The answer to a request with this one parameter."""
    path = row.path.replace("{id}", "none")
    if row.path.startswith("/v2/") and row.method == "POST":
        text = json.dumps(place.as_tree())
    else:
        text = place.as_form(value)
    status, body = shop.ask(row.method, path, text)
    return status, body["error"] if status >= 400 else body


def effects(shop: Shop) -> int:
    return len(shop.control.ledger("effect"))


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_what_is_not_modelled_is_refused_loudly_and_changes_nothing(
    shop: Shop, row: Operation
) -> None:
    before = effects(shop)
    modelled = row.model.paths | ALWAYS_MODELLED
    wrong = []
    for place in leaves(table_of(row.route)).values():
        if place.path not in modelled:
            status, error = refusal(shop, row, place)
            if (status, error.get("code")) != (501, NOT_MODELLED):
                wrong.append((place.path, status, error.get("message")))
    for path, allowed in (row.model.only or {}).items():
        place = leaves(table_of(row.route))[path]
        for choice in set(place.choices) - set(allowed):
            status, error = refusal(shop, row, place, choice)
            if (status, error.get("code")) != (501, NOT_MODELLED):
                wrong.append((f"{path}={choice}", status, error.get("message")))
    assert wrong == []
    assert effects(shop) == before


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_clearing_what_is_not_modelled_is_refused_too(shop: Shop, row: Operation) -> None:
    before = effects(shop)
    modelled = row.model.paths | ALWAYS_MODELLED
    for place in emptiable(table_of(row.route)).values():
        if not any(
            path == place.path or path.startswith((f"{place.path}.", f"{place.path}["))
            for path in modelled
        ):
            status, error = refusal(shop, row, place)
            assert (status, error.get("code")) == (501, NOT_MODELLED), place.name
    assert effects(shop) == before


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_what_stripe_does_not_know_is_unknown_at_every_depth(shop: Shop, row: Operation) -> None:
    before = effects(shop)
    for steps in objects(table_of(row.route)):
        place = Place("", (*steps, "no_such_parameter"), "x")
        status, error = refusal(shop, row, place)
        found = (status, error.get("code"), error.get("param"))
        assert found == (400, "parameter_unknown", place.name), place.name
    assert effects(shop) == before
