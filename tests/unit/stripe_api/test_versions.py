"""The same fact in the shapes of different API versions becomes the same value, or none."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.stripe_api.test_translate import INVOICE, SESSION, SUBSCRIPTION

from billing_common.stripe_api.translate import StripeShapeUnexpected, object_from_stripe
from billing_common.stripe_api.versions import ApiVersionUnsupported, lift

ENDIVE = "2026-10-28.endive"
# One release of each train as endpoints may still be pinned to.
MODERN = ["2025-03-31.basil", "2025-08-27.basil", "2025-09-30.clover", "2026-03-25.dahlia", ENDIVE]
OLD = ["2024-09-30.acacia", "2025-02-24.acacia"]


def old_subscription() -> dict[str, Any]:
    """As acacia wrote it: one period, on the subscription."""
    source = copy.deepcopy(SUBSCRIPTION)
    for item in source["items"]["data"]:
        source["current_period_start"] = item.pop("current_period_start")
        source["current_period_end"] = item.pop("current_period_end")
    return source


def old_invoice() -> dict[str, Any]:
    """As acacia wrote it: no parent, and fields that have no successor."""
    source = copy.deepcopy(INVOICE)
    details = source.pop("parent")["subscription_details"]
    return source | {
        "subscription": details["subscription"],
        "subscription_details": {"metadata": details.get("metadata")},
        "paid": True,
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "tax": None,
    }


@pytest.mark.requirement("EVT-16")
@pytest.mark.requirement("EVT-11")
@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize(
    ("older", "pinned"),
    [(old_subscription(), SUBSCRIPTION), (old_invoice(), INVOICE), (SESSION, SESSION)],
    ids=["subscription", "invoice", "session"],
)
def test_an_old_shape_means_what_the_new_one_means(
    version: str, older: dict[str, Any], pinned: dict[str, Any]
) -> None:
    assert object_from_stripe(lift(older, api_version=version)) == object_from_stripe(pinned)


@pytest.mark.requirement("EVT-16")
@pytest.mark.parametrize("version", [*MODERN, None])
@pytest.mark.parametrize("source", [SUBSCRIPTION, INVOICE, SESSION], ids=lambda one: one["object"])
def test_nothing_is_moved_that_is_where_it_belongs(
    version: str | None, source: dict[str, Any]
) -> None:
    assert lift(source, api_version=version) is source


@pytest.mark.requirement("EVT-16")
def test_an_old_shape_under_a_new_version_fails_closed() -> None:
    with pytest.raises(StripeShapeUnexpected, match="current_period_start"):
        object_from_stripe(lift(old_subscription(), api_version=ENDIVE))


@pytest.mark.requirement("EVT-16")
@pytest.mark.parametrize(
    "version", ["2024-06-20", "2027-03-31.fennel", "2026-10-28.preview", "endives", "", "."]
)
def test_an_unknown_version_is_refused_before_its_shape_is_read(version: str) -> None:
    with pytest.raises(ApiVersionUnsupported):
        lift(SUBSCRIPTION, api_version=version)


def test_items_of_their_own_period_keep_it() -> None:
    source = old_subscription()
    source["items"]["data"][0]["current_period_end"] = 7
    lifted = lift(source, api_version=OLD[0])
    assert lifted["items"]["data"][0]["current_period_end"] == 7


@given(
    st.dictionaries(
        st.sampled_from(["object", "items", "subscription", "parent", "current_period_end"]),
        st.recursive(
            st.none() | st.integers() | st.sampled_from(["subscription", "invoice"]),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["data", "metadata"]), inner, max_size=2)
            ),
            max_leaves=8,
        ),
    ),
    st.sampled_from(OLD),
)
def test_any_object_is_lifted_or_left(source: dict[str, Any], version: str) -> None:
    before = copy.deepcopy(source)
    lift(source, api_version=version)
    assert source == before, "the snapshot itself is never changed"
