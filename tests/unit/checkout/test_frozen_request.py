"""The frozen request: deterministic, within Stripe's limits, and only on our own site."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.checkout.builders import NOW, PROVENANCE

from checkout.decisions.frozen_request import (
    CheckoutIntent,
    ReturnPathInvalid,
    absolute_url,
    freeze,
)

INTENT = CheckoutIntent(
    billable_entity_id=1,
    idempotency_row_id=7,
    operation_key="a" * 64,
    provider_customer_id="cus_1",
    provider_price_id="price_1",
    public_url="https://app.example.com/",
    success_path="/done?plan=pro",
    cancel_path="/",
)


@pytest.mark.requirement("IDEM-07")
def test_the_same_intent_freezes_to_the_same_bytes() -> None:
    first = freeze(INTENT, provenance=PROVENANCE, now=NOW)

    assert freeze(INTENT, provenance=PROVENANCE, now=NOW) == first
    other = freeze(replace(INTENT, cancel_path="/x"), provenance=PROVENANCE, now=NOW)
    assert other.params_hash != first.params_hash


@pytest.mark.requirement("CHK-06")
def test_both_objects_carry_our_three_names() -> None:
    params = json.loads(freeze(INTENT, provenance=PROVENANCE, now=NOW).params_json)

    assert params["metadata"] == params["subscription_data"]["metadata"]
    assert set(params["metadata"]) == {"operation_key", "billable_entity_id", "idempotency_row_id"}
    assert all(isinstance(value, str) for value in params["metadata"].values())
    assert params["success_url"] == "https://app.example.com/done?plan=pro"


@pytest.mark.requirement("IDEM-08")
@pytest.mark.requirement("IDEM-09")
@given(microseconds=st.integers(0, 86_400_000_000), skew_minutes=st.integers(-9, 9))
def test_times_keep_their_distance_from_stripes_limits(
    microseconds: int, skew_minutes: int
) -> None:
    now = NOW + timedelta(microseconds=microseconds)
    theirs = now + timedelta(minutes=skew_minutes)

    frozen = freeze(INTENT, provenance=PROVENANCE, now=now)

    expires_at = frozen.session_expires_at_upper_bound
    assert json.loads(frozen.params_json)["expires_at"] == int(expires_at.timestamp())
    assert theirs + timedelta(minutes=30) <= expires_at <= theirs + timedelta(hours=24)
    assert frozen.replay_deadline_at <= now + timedelta(hours=23)
    assert frozen.replay_deadline_at + timedelta(minutes=35) <= expires_at
    assert frozen.replay_deadline_at > now + timedelta(hours=22)


@pytest.mark.requirement("CHK-11")
@pytest.mark.parametrize(
    "path",
    ["", "done", "//evil.example", "/\\evil.example", "\\/evil", "@evil.example", "/a\n", "/ü"],
)
def test_a_path_that_could_leave_our_site_is_refused(path: str) -> None:
    with pytest.raises(ReturnPathInvalid):
        absolute_url("https://app.example.com", path)
