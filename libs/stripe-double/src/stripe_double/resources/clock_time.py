"""What time it is for an object: the double's own clock, or the test clock it lives on."""

from __future__ import annotations

from stripe_double.engine.errors import ApiError
from stripe_double.engine.records import Record
from stripe_double.engine.transactions import Transaction

COLLECTION = "test_helpers.test_clock"


def stand_at(tx: Transaction, record: Record) -> None:
    """From here on the transaction happens at the time of the record's test clock, if it has one.

    While that clock advances its objects cannot be changed: ApiError 429, as at Stripe.
    """
    clock = clock_of(tx, record)
    if clock is None:
        return
    if clock["status"] != "ready":
        raise ApiError(
            429,
            "invalid_request_error",
            "Test clock advancement underway - cannot perform modifications.",
            code="lock_timeout",
        )
    tx.now = clock["frozen_time"]


def clock_of(tx: Transaction, record: Record) -> Record | None:
    """The test clock that the record lives on, if any."""
    clock_id = record.get("test_clock")
    return None if clock_id is None else tx.find(COLLECTION, clock_id)
