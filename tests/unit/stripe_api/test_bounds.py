"""A value that no column could take is refused at the door, and never quoted."""

from __future__ import annotations

from typing import Any

import pytest

from billing_common.stripe_api.translate import (
    StripeShapeUnexpected,
    customer_from_stripe,
    object_from_stripe,
)

INVOICE: dict[str, Any] = {
    "object": "invoice",
    "id": "in_1",
    "status": "paid",
    "customer": "cus_1",
    "currency": "usd",
    "amount_due": 1900,
    "amount_paid": 1900,
    "amount_remaining": 0,
    "attempt_count": 1,
    "created": 1_790_000_000,
}


@pytest.mark.requirement("EVT-16")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "x" * 256),
        ("id", "in_\ud800"),
        ("id", "in_\x00"),
        ("id", "in 1"),
        ("customer", {"id": "x" * 256}),
        ("currency", "dollars"),
        ("currency", "USD"),
        ("status", "x" * 65),
        ("status", "pa\nid"),
        ("amount_due", 2**63),
        ("amount_due", -1),
        ("amount_due", 19.0),
        ("amount_due", True),
        ("attempt_count", 2**32),
        ("created", -1),
        ("created", 10**15),
        ("status_transitions", {"paid_at": "yesterday"}),
        ("status_transitions", {"paid_at": 10**18}),
        ("status_transitions", {"paid_at": True}),
        ("status_transitions", "paid"),
    ],
)
def test_refused(name: str, value: Any) -> None:
    with pytest.raises(StripeShapeUnexpected):
        object_from_stripe(INVOICE | {name: value})


@pytest.mark.parametrize("kind", [{"secret": "value"}, "secret value", "s" * 65, 7])
def test_the_message_names_no_value(kind: Any) -> None:
    with pytest.raises(StripeShapeUnexpected) as refused:
        object_from_stripe(INVOICE | {"object": kind, "id": None})
    assert "secret" not in str(refused.value)
    assert len(str(refused.value)) < 100


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [("7", 7), ("", None), ("²", None), ("9" * 5000, None), ("-7", None), (7, None)],
)
def test_a_claim_that_we_cannot_have_written_is_none(claimed: Any, expected: int | None) -> None:
    found = customer_from_stripe({"id": "cus_1", "metadata": {"billable_entity_id": claimed}})
    assert found.billable_entity_id == expected
