"""The official SDK drives every operation; nothing said by either side breaks Stripe's rules.

Requests are held against Stripe's OpenAPI specification (`conformance/spec_operations.json`) and
the SDK's types; answers and events against the minimal objects of the specification
(`required_fields.json`) and the SDK's resource classes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.stripe_double.conformance.record import SCENARIOS, Record, run_all
from tests.integration.stripe_double.conformance.sdk_objects import event_violations, violations
from tests.integration.stripe_double.conformance.sdk_requests import request_violations

from stripe_double.resources.catalog import OPERATIONS
from stripe_double.resources.operations import Operation
from stripe_double.wire.tables import table_of

ERROR_TYPES = {
    "api_error",
    "card_error",
    "idempotency_error",
    "invalid_request_error",
    "temporary_session_expired",
}


@pytest.fixture(scope="module")
def record() -> Iterator[Record]:
    with pytest.MonkeyPatch.context() as patch:
        yield run_all(patch)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_goes_through(record: Record, name: str) -> None:
    assert name not in record.failures, record.failures[name]


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_every_operation_is_driven_by_the_sdk_and_conforms(record: Record, row: Operation) -> None:
    exchanges = record.by_sdk[row.route]
    assert any(exchange.status == 200 for exchange in exchanges), "no scenario drives it"
    asked = [found for exchange in exchanges for found in request_violations(exchange)]
    assert sorted(set(asked)) == []
    answered = {
        found
        for exchange in [*exchanges, *record.swept[row.route]]
        if exchange.status == 200
        for found in violations(exchange.body)
    }
    assert sorted(answered) == []


def test_no_modelled_parameter_is_ignored(record: Record) -> None:
    """What the double says it models it looks at, each time it is sent."""
    ignored = {name: paths for name, paths in record.ignored.items() if paths}
    # Where to send the buyer back to: read only when the bank asks for the buyer.
    assert ignored == {
        "payment_intents.confirm": {"return_url"},
        "setup_intents.confirm": {"return_url"},
    }


def test_every_event_conforms(record: Record) -> None:
    wrong = {
        found
        for events in record.events.values()
        for e in events
        for found in event_violations(e, "")
    }
    assert sorted(wrong) == []
    assert len(record.events) > 30, "too few kinds of events for a proof"


def test_every_event_type_is_one_of_stripes(record: Record) -> None:
    known = table_of("POST /v1/webhook_endpoints")["properties"]["enabled_events"]["items"]["enum"]
    assert {kind for kind in record.events if kind not in known} == set()


def test_every_refusal_has_the_shape_of_an_error(record: Record) -> None:
    for exchanges in record.by_sdk.values():
        for exchange in exchanges:
            if exchange.status >= 400:
                error = exchange.body["error"]
                assert error["type"] in ERROR_TYPES
                assert error["message"]


def test_the_checks_themselves_find_faults() -> None:
    broken = {"id": "in_1", "object": "invoice", "paid": True, "lines": None, "status": "odd"}
    found = list(violations(broken))
    assert "<invoice>.paid is not a field of Invoice" in found
    assert "<invoice>.lines is null" in found
    assert "<invoice>.status is 'odd', which is no choice" in found
    assert "<invoice>.currency is missing" in found
