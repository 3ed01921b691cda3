"""What becomes of an event that failed, by how often it was tried and what is left of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.webhook_event import FailedEvent
from reconciler.decisions.failed_events import GiveUp, Resend, decide_failed_event

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVENT = FailedEvent(
    row_id=1,
    provider_event_id="evt_1",
    event_type="invoice.paid",
    object_id="in_1",
    api_version=None,
    livemode=False,
    provider_created_at=NOW,
    received_at=NOW,
    attempt_count=1,
    outcome_code="price_unknown",
    kafka_partition=3,
    payload=b"{}",
)


@pytest.mark.requirement("EVT-13")
@given(attempts=st.integers(1, 200), attempts_max=st.integers(1, 100))
def test_it_is_sent_again_until_the_limit_and_then_given_up(
    attempts: int, attempts_max: int
) -> None:
    event = replace(EVENT, attempt_count=attempts)
    decided = decide_failed_event(event, attempts_max=attempts_max)
    # The number of the attempt to come: projection counts a copy of an earlier one only once.
    assert decided == (Resend(attempts + 1) if attempts < attempts_max else GiveUp("price_unknown"))


@pytest.mark.requirement("EVT-13")
def test_without_its_bytes_there_is_nothing_to_send() -> None:
    assert decide_failed_event(replace(EVENT, payload=None), attempts_max=8) == GiveUp(
        "payload_gone"
    )
    # An empty body is a body.
    assert decide_failed_event(replace(EVENT, payload=b""), attempts_max=8) == Resend(2)


def test_giving_up_without_a_known_reason_still_names_one() -> None:
    event = replace(EVENT, attempt_count=8, outcome_code=None)
    assert decide_failed_event(event, attempts_max=8) == GiveUp("attempts_exhausted")
