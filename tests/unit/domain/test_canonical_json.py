"""Equal values have equal text, and the text gives the value back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.canonical_json import canonical_json, sha256_hex

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _reversed(value: Any) -> Any:
    """The same value with every object's keys in the opposite order."""
    if isinstance(value, dict):
        return {key: _reversed(inner) for key, inner in reversed(list(value.items()))}
    if isinstance(value, list):
        return [_reversed(inner) for inner in value]
    return value


@pytest.mark.requirement("IDEM-07")
@given(JSON)
def test_the_order_of_keys_does_not_change_the_text(value: Any) -> None:
    assert canonical_json(_reversed(value)) == canonical_json(value)


@given(JSON)
def test_the_text_gives_the_value_back_and_is_a_fixed_point(value: Any) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


def test_the_text_is_pinned() -> None:
    """Stored hashes depend on it."""
    text = canonical_json({"b": [1, {"y": None, "x": "é"}], "a": True})
    assert text == '{"a":true,"b":[1,{"x":"é","y":null}]}'
    assert sha256_hex(text) == "6b4f4c5289ae7601763a7cc2adac2f681511d8937dd6db8bb4680dbca8243fab"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1, 2}, b"x", object()])
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)
