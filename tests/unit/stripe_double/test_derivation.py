"""The parameter tables are what the official SDK's types say, and stay so."""

from __future__ import annotations

import json

import pytest

from stripe_double.derivation.__main__ import derived
from stripe_double.derivation.tables import sdk_operations, tables
from stripe_double.wire.tables import known_paths, table_of, tabled_operations


@pytest.fixture(scope="module")
def schemas() -> dict[str, object]:
    return dict(tables(sdk_operations()))


def test_the_committed_tables_are_what_the_installed_sdk_says() -> None:
    for path, text in derived().items():
        assert path.read_text("utf-8") == text, f"run python -m stripe_double.derivation: {path}"


def test_shared_parts_resolve_to_what_was_derived(schemas: dict[str, object]) -> None:
    assert tabled_operations() == schemas.keys()
    for route, schema in schemas.items():
        assert json.dumps(table_of(route)) == json.dumps(schema, sort_keys=True), route


def test_every_table_belongs_to_a_path(schemas: dict[str, object]) -> None:
    undocumented = {route for route in schemas if "/v1/payment_pages" in route}
    paths = {f"{method} {path}" for method, path in known_paths()}
    assert schemas.keys() - undocumented <= paths
    assert len(undocumented) == 2
