"""The entitlement registry: exactly three shapes, everything else refused with its reason."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.entitlements import (
    QUOTA_LIMIT_MAX,
    REGISTRY,
    BooleanEntitlement,
    InvalidEntitlement,
    InvalidReason,
    PlanEntitlement,
    QuotaEnforcement,
    QuotaEntitlement,
    QuotaInterval,
    StringListEntitlement,
    parse_entitlement,
)

pytestmark = pytest.mark.requirement("LIM-01")

BOOLEAN, QUOTA, LIST = (
    "entitlement.boolean.v1",
    "entitlement.quota.v1",
    "entitlement.string_list.v1",
)
A_QUOTA = {"limit": 3, "interval": "month", "enforcement": "hard"}


@pytest.mark.parametrize(
    ("version", "value", "meaning"),
    [
        (BOOLEAN, {"enabled": True}, BooleanEntitlement(enabled=True)),
        (BOOLEAN, {"enabled": False}, BooleanEntitlement(enabled=False)),
        (QUOTA, A_QUOTA, QuotaEntitlement(3, QuotaInterval.MONTH, QuotaEnforcement.HARD)),
        (
            QUOTA,
            {"limit": 0, "interval": "day", "enforcement": "soft"},
            QuotaEntitlement(0, QuotaInterval.DAY, QuotaEnforcement.SOFT),
        ),
        (LIST, {"values": []}, StringListEntitlement(())),
        (LIST, {"values": ["b", "a", "A"]}, StringListEntitlement(("b", "a", "A"))),
    ],
)
def test_a_valid_value_is_read(version: str, value: Any, meaning: object) -> None:
    assert parse_entitlement(version, value) == meaning


@pytest.mark.parametrize(
    ("version", "value"),
    [
        (BOOLEAN, {}),
        (BOOLEAN, None),
        (BOOLEAN, [True]),
        (BOOLEAN, {"enabled": 1}),
        (BOOLEAN, {"enabled": "true"}),
        (BOOLEAN, {"enabled": True, "extra": 1}),
        (QUOTA, {"limit": 1, "interval": "month"}),
        (QUOTA, A_QUOTA | {"limit": -1}),
        (QUOTA, A_QUOTA | {"limit": True}),
        (QUOTA, A_QUOTA | {"limit": 1.0}),
        (QUOTA, A_QUOTA | {"limit": "1"}),
        (QUOTA, A_QUOTA | {"limit": QUOTA_LIMIT_MAX + 1}),
        (QUOTA, A_QUOTA | {"interval": "hour"}),
        (QUOTA, A_QUOTA | {"interval": ["month"]}),
        (QUOTA, A_QUOTA | {"enforcement": "none"}),
        (QUOTA, A_QUOTA | {"extra": 1}),
        (LIST, {"values": "a"}),
        (LIST, {"values": [1]}),
        (LIST, {"values": [" "]}),
        (LIST, {"values": ["a", "a"]}),
        (LIST, {"values": ["a"], "extra": 1}),
    ],
)
def test_a_wrong_payload_is_refused(version: str, value: Any) -> None:
    with pytest.raises(InvalidEntitlement) as refusal:
        parse_entitlement(version, value)
    assert refusal.value.reason is InvalidReason.INVALID_PAYLOAD


@pytest.mark.parametrize("version", ["", "entitlement.boolean.v2", "ENTITLEMENT.BOOLEAN.V1"])
def test_an_unknown_version_is_refused(version: str) -> None:
    with pytest.raises(InvalidEntitlement, match=r"known: entitlement\.boolean\.v1") as refusal:
        parse_entitlement(version, {"enabled": True})
    assert refusal.value.reason is InvalidReason.UNKNOWN_SCHEMA_VERSION


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(version=st.sampled_from([*REGISTRY, "unknown"]), value=JSON)
def test_any_json_is_an_entitlement_or_refused(version: str, value: Any) -> None:
    """No other exception: a bad row fails closed, it does not crash its reader."""
    with contextlib.suppress(InvalidEntitlement):
        parse_entitlement(version, value)


def test_a_plans_entitlement_is_valid_by_construction() -> None:
    PlanEntitlement(code="seats", schema_version=QUOTA, value=A_QUOTA)
    for change in ({"code": " "}, {"code": "x" * 121}, {"value": {}}, {"schema_version": "v9"}):
        given_values: dict[str, Any] = {"code": "s", "schema_version": QUOTA, "value": A_QUOTA}
        with pytest.raises(InvalidEntitlement):
            PlanEntitlement(**(given_values | change))
