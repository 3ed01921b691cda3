"""The operation table and Stripe's parameter table agree, and values are typed."""

from __future__ import annotations

import pytest

from stripe_double.engine.errors import ApiError
from stripe_double.resources.catalog import OPERATIONS, find_route
from stripe_double.resources.operations import Operation
from stripe_double.wire.parameters import ALWAYS_MODELLED, Model, check
from stripe_double.wire.tables import known_paths, table_of

UNDOCUMENTED = {"/v1/payment_pages/{id}", "/v1/payment_pages/{id}/confirm"}


def leaves(schema: object, path: str = "") -> set[str]:
    assert isinstance(schema, dict)
    if "anyOf" in schema:
        return set().union(*(leaves(option, path) for option in schema["anyOf"]))
    found: set[str] = set()
    for name, child in schema.get("properties", {}).items():
        found |= leaves(child, f"{path}.{name}" if path else name)
    if isinstance(schema.get("additionalProperties"), dict):
        found |= leaves(schema["additionalProperties"], f"{path}.*")
    if schema.get("type") == "array":
        found |= leaves(schema["items"], f"{path}[]")
    return found or {path}


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_what_is_modelled_exists_at_stripe(row: Operation) -> None:
    assert row.path in UNDOCUMENTED or (row.method, row.path) in known_paths()
    assert row.model.paths <= leaves(table_of(row.route)) | {"metadata"}
    assert (row.model.only or {}).keys() <= row.model.paths | ALWAYS_MODELLED


def test_names_and_routes_are_unique() -> None:
    assert len({row.name for row in OPERATIONS}) == len(OPERATIONS)
    assert len({row.route for row in OPERATIONS}) == len(OPERATIONS)


def test_routes_find_their_row_and_id() -> None:
    route = find_route("POST", "/v1/checkout/sessions/cs_1/expire")
    assert (route.operation.name, route.object_id) == ("checkout.sessions.expire", "cs_1")
    assert find_route("GET", "/v1/customers/").operation.name == "customers.list"
    for method, path, status in (
        ("GET", "/v1/customers/search", 501),
        ("GET", "/v1/customers/cus_1/cash_balance_transactions", 501),
        ("PUT", "/v1/customers", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/customers//x", 404),
    ):
        with pytest.raises(ApiError) as caught:
            find_route(method, path)
        assert caught.value.status == status, path


def test_values_are_typed() -> None:
    model = Model(frozenset({"unit_amount", "active", "currency", "product", "metadata.*"}))
    typed = check(
        "POST /v1/prices",
        {"unit_amount": "-5", "active": "false", "currency": "usd", "metadata": {"0": "x"}},
        model,
    )
    assert typed == {
        "unit_amount": -5,
        "active": False,
        "currency": "usd",
        "metadata": {"0": "x"},
    }


@pytest.mark.parametrize("value", ["", "1.0", "1e3", "٣", " 1", "9" * 19, "NaN"])
def test_odd_integers_are_refused(value: str) -> None:
    with pytest.raises(ApiError) as caught:
        check(
            "POST /v1/prices",
            {"currency": "usd", "unit_amount": value},
            Model(frozenset({"currency", "unit_amount"})),
        )
    assert (caught.value.status, caught.value.param) == (400, "unit_amount")


def test_metadata_has_limits() -> None:
    model = Model(frozenset({"metadata.*"}))
    for metadata in ({str(n): "x" for n in range(51)}, {"k" * 41: "x"}, {"k": "v" * 501}):
        with pytest.raises(ApiError):
            check("POST /v1/customers", {"metadata": metadata}, model)


def test_metadata_keys_may_look_like_positions_and_lists_may_have_gaps() -> None:
    model = Model(frozenset({"metadata.*", "preferred_locales[]"}))
    raw = {"metadata": ["zero"], "preferred_locales": {"10": "de", "2": "en"}}
    assert check("POST /v1/customers", raw, model) == {
        "metadata": {"0": "zero"},
        "preferred_locales": ["en", "de"],
    }


def test_a_retired_parameter_is_refused_by_its_own_code() -> None:
    raw = {"amount": "500", "currency": "usd", "payment_method_types": ["card"]}
    with pytest.raises(ApiError) as caught:
        check("POST /v1/payment_intents", raw, Model(frozenset({"amount", "currency"})))
    assert (caught.value.status, caught.value.code, caught.value.param) == (
        400,
        "payment_method_types_no_longer_supported",
        "payment_method_types",
    )
