"""The frozen request: deterministic, within Stripe's limits, and only on our own site."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.checkout.builders import NOW, ONE_OFF, PROVENANCE, SUBSCRIPTION, situation

from billing_common.contracts.commands import BillingWrite
from billing_common.domain.canonical_json import sha256_hex
from billing_common.domain.errors import BugError
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import FrozenRequest
from checkout.decisions.checkout_params import SCHEMA_VERSION
from checkout.decisions.deadlines import call_deadlines, session_deadlines
from checkout.decisions.frozen_request import freeze
from checkout.decisions.one_off_checkout import decide_one_off_checkout
from checkout.decisions.return_urls import ReturnPathInvalid, absolute_url
from checkout.decisions.situation import Admitted, Refused
from checkout.decisions.subscription_checkout import decide_subscription_checkout


class Price:
    provider_price_id = "price_1"
    currency = "usd"


def params(payload: BillingWrite, **changes: Any) -> dict[str, Any]:
    if payload is SUBSCRIPTION or isinstance(payload, type(SUBSCRIPTION)):
        verdict = decide_subscription_checkout(situation(payload, gathered=(Price(),), **changes))
    else:
        verdict = decide_one_off_checkout(situation(payload, **changes))
    assert isinstance(verdict, Admitted)
    return verdict.params


def frozen(sent: dict[str, Any], now: Any = NOW) -> FrozenRequest:
    return freeze(
        sent,
        schema_version=SCHEMA_VERSION,
        provenance=PROVENANCE,
        deadlines=session_deadlines(now),
        now=now,
    )


@pytest.mark.requirement("IDEM-07")
def test_the_same_intent_freezes_to_the_same_bytes() -> None:
    first = frozen(params(SUBSCRIPTION))

    assert frozen(dict(reversed(params(SUBSCRIPTION).items()))) == first
    assert first.params_hash == sha256_hex(first.params_json)
    elsewhere = SUBSCRIPTION.model_copy(update={"cancel_path": "/x"})
    assert frozen(params(elsewhere)).params_hash != first.params_hash


@pytest.mark.requirement("CHK-06")
def test_all_that_is_made_carries_our_three_names() -> None:
    subscription, one_off = params(SUBSCRIPTION), params(ONE_OFF)

    names = subscription["metadata"]
    assert set(names) == {"operation_key", "billable_entity_id", "idempotency_row_id"}
    assert all(isinstance(value, str) for value in names.values())
    assert subscription["subscription_data"] == {"metadata": names}
    assert one_off["metadata"] == one_off["payment_intent_data"]["metadata"] == names
    assert one_off["invoice_creation"]["invoice_data"] == {"metadata": names}
    assert subscription["success_url"] == "https://app.example.com/done?plan=pro"


@pytest.mark.requirement("CHK-08")
def test_a_one_off_checkout_sells_one_thing_with_an_invoice() -> None:
    sent = params(ONE_OFF)

    assert sent["mode"] == "payment"
    assert sent["customer"] == "cus_1"
    assert sent["line_items"] == [
        {
            "price_data": {
                "currency": "usd",
                "product_data": {"name": "Consulting"},
                "unit_amount": 12_345,
            },
            "quantity": 2,
        }
    ]
    assert sent["invoice_creation"]["enabled"] is True
    assert "subscription_data" not in sent


@pytest.mark.requirement("CHK-08")
def test_another_currency_is_not_sold() -> None:
    verdict = decide_one_off_checkout(situation(ONE_OFF.model_copy(update={"currency": "eur"})))

    assert verdict == Refused(FailureCode.CHECKOUT_CONFIGURATION_INVALID)


@pytest.mark.requirement("CHK-07")
@pytest.mark.parametrize("payload", [SUBSCRIPTION, ONE_OFF])
def test_no_session_is_made_without_its_customer(payload: BillingWrite) -> None:
    with pytest.raises(BugError):
        params(payload, provider_customer_id=None)


@pytest.mark.requirement("IDEM-08")
@pytest.mark.requirement("IDEM-09")
@given(microseconds=st.integers(0, 86_400_000_000), skew_minutes=st.integers(-9, 9))
def test_times_keep_their_distance_from_stripes_limits(
    microseconds: int, skew_minutes: int
) -> None:
    now = NOW + timedelta(microseconds=microseconds)
    theirs = now + timedelta(minutes=skew_minutes)

    request = frozen(params(SUBSCRIPTION, deadlines=session_deadlines(now)), now)

    expires_at = request.session_expires_at_upper_bound
    assert json.loads(request.params_json)["expires_at"] == int(expires_at.timestamp())
    assert theirs + timedelta(minutes=30) <= expires_at <= theirs + timedelta(hours=24)
    assert request.replay_deadline_at <= now + timedelta(hours=23)
    assert request.replay_deadline_at + timedelta(minutes=35) <= expires_at
    assert request.replay_deadline_at > now + timedelta(hours=22)


def test_without_an_expiry_only_the_providers_memory_counts() -> None:
    deadlines = call_deadlines(NOW)

    assert deadlines.replay_at == deadlines.usable_until == NOW + timedelta(hours=23)


@pytest.mark.requirement("CHK-11")
@pytest.mark.parametrize(
    "path",
    ["", "done", "//evil.example", "/\\evil.example", "\\/evil", "@evil.example", "/a\n", "/ü"],
)
def test_a_path_that_could_leave_our_site_is_refused(path: str) -> None:
    with pytest.raises(ReturnPathInvalid):
        absolute_url("https://app.example.com", path)
    with pytest.raises(ReturnPathInvalid):
        params(ONE_OFF.model_copy(update={"success_path": path}))
