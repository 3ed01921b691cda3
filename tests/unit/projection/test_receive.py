"""Reading a record is total: an event, or a record for the dead letters, whatever it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.projection.builders import T0

from billing_common.contracts.stripe_event_headers import StripeEventHeaders
from billing_common.messaging.records import Record
from projection.decisions.event import ROUTES, StripeEvent
from projection.handlers.receive import Received, Unreadable, receive

HEADERS = StripeEventHeaders(
    event_id="evt_1",
    event_type="invoice.paid",
    created=1_790_000_000,
    api_version="2026-10-28.endive",
    livemode=False,
    received_at=T0,
).to_pairs()
NAMES = [name for name, _ in HEADERS]
FIELDS = (
    *("id", "object", "customer", "status", "items", "data", "price", "metadata", "created"),
    *("currency", "parent", "status_transitions", "paid_at", "operation_key"),
    "billable_entity_id",
)
# What Stripe never writes, next to what it does.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters(exclude_categories=()), max_size=8)
    | st.sampled_from(["invoice", "subscription", "checkout.session", "x" * 300, "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


def record(value: bytes | None, headers: Any = HEADERS) -> Record:
    return Record("t", 0, 0, b"cus_1", value, tuple(headers), 0)


@given(st.binary(max_size=64) | st.none())
def test_any_bytes(value: bytes | None) -> None:
    assert isinstance(receive(record(value)), Received | Unreadable)


@given(VALUES, st.sampled_from(sorted(ROUTES)))
def test_any_json_object(source: Any, event_type: str) -> None:
    headers = [
        (name, event_type.encode() if name == "stripe-event-type" else value)
        for name, value in HEADERS
    ]
    one = receive(record(json.dumps({"data": {"object": source}}).encode(), headers))
    if not isinstance(one, Received):
        return
    # What is stored as it stands must fit its column.
    for text in (one.object_id, one.object_type, one.customer_id, one.account):
        assert text is None or (text.isascii() and len(text) <= 255)
    assert not isinstance(one.event, StripeEvent) or one.customer_id is not None


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.none() | st.binary(max_size=300))))
def test_any_headers(replaced: list[tuple[str, bytes | None]]) -> None:
    body = b'{"data": {"object": {"id": "in_1", "object": "invoice"}}}'
    assert isinstance(receive(record(body, [*HEADERS, *replaced])), Received | Unreadable)


@pytest.mark.parametrize("depth", [100, 900, 5_000, 100_000])
def test_any_depth(depth: int) -> None:
    body = b'{"data": {"object": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}}"
    assert isinstance(receive(record(body)), Received | Unreadable)
