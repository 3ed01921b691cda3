"""Stripe's JSON at the door: what is required fails closed, what moved is found where it is."""

from __future__ import annotations

import contextlib
import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.provider_objects import ProviderInvoice, ProviderSubscription
from billing_common.domain.subscription import SubscriptionStatus
from billing_common.stripe_api.translate import (
    TRANSLATORS,
    StripeShapeUnexpected,
    invoice_from_stripe,
    object_from_stripe,
    session_from_stripe,
    subscription_from_stripe,
)

CREATED = 1_795_348_800
KEY = "o" * 64
METADATA = {"operation_key": KEY, "billable_entity_id": "42", "idempotency_row_id": "9"}

SESSION: dict[str, Any] = {
    "object": "checkout.session",
    "id": "cs_1",
    "status": "open",
    "payment_status": "unpaid",
    "mode": "subscription",
    "url": "https://pay.example/cs_1",
    "created": CREATED,
    "expires_at": CREATED + 3600,
    "customer": "cus_1",
    "subscription": None,
    "metadata": METADATA,
}
SUBSCRIPTION: dict[str, Any] = {
    "object": "subscription",
    "id": "sub_1",
    "status": "active",
    "customer": "cus_1",
    "created": CREATED,
    "cancel_at_period_end": False,
    "cancel_at": None,
    "canceled_at": None,
    "ended_at": None,
    "trial_end": None,
    "metadata": METADATA,
    "items": {
        "data": [
            {
                "id": "si_1",
                "price": {"id": "price_1"},
                "quantity": 1,
                "current_period_start": CREATED,
                "current_period_end": CREATED + 86_400,
            }
        ]
    },
}
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
    "created": CREATED,
    "due_date": None,
    "status_transitions": {"paid_at": CREATED + 5},
    "metadata": {},
    "parent": {
        "type": "subscription_details",
        "subscription_details": {"subscription": "sub_1", "metadata": METADATA},
    },
}
OBJECTS = {"checkout.session": SESSION, "subscription": SUBSCRIPTION, "invoice": INVOICE}

REQUIRED = [
    *(("checkout.session", name) for name in ("id", "status", "payment_status", "mode")),
    *(("checkout.session", name) for name in ("created", "expires_at")),
    *(("subscription", name) for name in ("id", "status", "customer", "created", "items")),
    ("subscription", "cancel_at_period_end"),
    *(("invoice", name) for name in ("id", "status", "customer", "currency", "created")),
    *(("invoice", name) for name in ("amount_due", "amount_paid", "amount_remaining")),
    ("invoice", "attempt_count"),
]


@pytest.mark.requirement("EVT-16")
@pytest.mark.parametrize("damage", ["absent", "null", "mistyped"])
@pytest.mark.parametrize(("kind", "field"), REQUIRED)
def test_a_required_field_fails_closed(kind: str, field: str, damage: str) -> None:
    source = copy.deepcopy(OBJECTS[kind])
    if damage == "absent":
        del source[field]
    else:
        source[field] = None if damage == "null" else [{"surprise": 1}]
    with pytest.raises(StripeShapeUnexpected, match=field.split("_")[0]):
        object_from_stripe(source)


@pytest.mark.parametrize("field", ["id", "price", "current_period_start", "current_period_end"])
def test_a_required_field_of_an_item_fails_closed(field: str) -> None:
    source = copy.deepcopy(SUBSCRIPTION)
    del source["items"]["data"][0][field]
    with pytest.raises(StripeShapeUnexpected):
        subscription_from_stripe(source)


@pytest.mark.parametrize("items", [[], None, ["si_1"], [None]])
def test_a_subscription_without_readable_items_fails_closed(items: Any) -> None:
    with pytest.raises(StripeShapeUnexpected):
        subscription_from_stripe({**SUBSCRIPTION, "items": {"data": items}})


def test_a_session_is_read_whole() -> None:
    session = session_from_stripe(SESSION)
    assert session.url == "https://pay.example/cs_1"
    assert session.created_at == datetime.fromtimestamp(CREATED, UTC)
    assert (session.customer_id, session.subscription_id) == ("cus_1", None)
    assert (session.operation_key, session.billable_entity_id) == (KEY, 42)


def test_the_period_is_read_from_the_items() -> None:
    """Since basil a subscription has no period of its own: what stands there is not looked at."""
    moved = {**SUBSCRIPTION, "current_period_end": CREATED + 1}
    (item,) = subscription_from_stripe(moved).items
    assert item.current_period_end == datetime.fromtimestamp(CREATED + 86_400, UTC)


@pytest.mark.requirement("EVT-11")
def test_an_invoices_subscription_is_read_from_its_parent() -> None:
    """It was `invoice.subscription` before basil: a value left there is not believed."""
    invoice = invoice_from_stripe({**INVOICE, "subscription": "sub_old"})
    assert invoice.subscription_id == "sub_1"
    assert invoice.operation_key == KEY
    without = invoice_from_stripe({**INVOICE, "parent": None, "subscription": "sub_old"})
    assert without.subscription_id is None


def test_a_missing_payment_time_stays_missing() -> None:
    assert invoice_from_stripe({**INVOICE, "status_transitions": {}}).paid_at is None
    assert invoice_from_stripe({**INVOICE, "status_transitions": None}).paid_at is None


@pytest.mark.parametrize("customer", ["cus_1", {"id": "cus_1", "object": "customer"}])
def test_a_reference_may_be_an_id_or_the_object(customer: Any) -> None:
    assert subscription_from_stripe({**SUBSCRIPTION, "customer": customer}).customer_id == "cus_1"


@pytest.mark.parametrize("status", list(SubscriptionStatus))
def test_every_status_of_stripe_is_known(status: SubscriptionStatus) -> None:
    found = subscription_from_stripe({**SUBSCRIPTION, "status": status.value})
    assert found.status is status


@pytest.mark.parametrize("status", ["Active", "unknown_word", ""])
def test_a_new_word_is_not_guessed(status: str) -> None:
    with pytest.raises(StripeShapeUnexpected):
        subscription_from_stripe({**SUBSCRIPTION, "status": status})


@pytest.mark.parametrize("claim", ["0x2a", "-1", "4 2", "٤٢", "", None, 42, ["42"], "42; drop"])
def test_a_damaged_claim_is_no_claim(claim: Any) -> None:
    source = {**SUBSCRIPTION, "metadata": {**METADATA, "billable_entity_id": claim}}
    assert subscription_from_stripe(source).billable_entity_id is None


@pytest.mark.parametrize("amount", [-1, 1.5, True, "1900"])
def test_an_amount_is_a_whole_number(amount: Any) -> None:
    with pytest.raises(StripeShapeUnexpected):
        invoice_from_stripe({**INVOICE, "amount_due": amount})


@pytest.mark.parametrize("moment", [10**30, -(10**30), True, "1795348800", 1.5])
def test_a_time_is_epoch_seconds(moment: Any) -> None:
    with pytest.raises(StripeShapeUnexpected):
        session_from_stripe({**SESSION, "created": moment})


@pytest.mark.parametrize("kind", ["customer", "", None, ["invoice"]])
def test_another_kind_of_object_is_refused(kind: Any) -> None:
    with pytest.raises(StripeShapeUnexpected):
        object_from_stripe({**INVOICE, "object": kind})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(TRANSLATORS)), st.data())
def test_any_one_field_may_hold_anything_without_a_crash(kind: str, data: st.DataObject) -> None:
    """Signed bytes are Stripe's, not ours: whatever is in them is a value or a refusal."""
    source = copy.deepcopy(OBJECTS[kind])
    field = data.draw(st.sampled_from(sorted(source)))
    source[field] = data.draw(JSON)
    with contextlib.suppress(StripeShapeUnexpected):
        found = object_from_stripe(source)
        assert found.id
        if isinstance(found, ProviderSubscription):
            assert found.items
        if isinstance(found, ProviderInvoice):
            assert found.amount_due_minor >= 0
