"""Bracketed forms become nested values, or a 400."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripe_double.engine.errors import ApiError
from stripe_double.wire.forms import decode


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", {}),
        ("a=1&b=", {"a": "1", "b": ""}),
        ("a[b][c]=x&a[d]=y", {"a": {"b": {"c": "x"}, "d": "y"}}),
        ("a[0]=x&a[1]=y", {"a": ["x", "y"]}),
        ("a[10]=z&a[2]=y", {"a": {"10": "z", "2": "y"}}),
        ("a[]=x&a[]=y", {"a": ["x", "y"]}),
        ("a[0][p]=1&a[0][q]=2&a[1][p]=3", {"a": [{"p": "1", "q": "2"}, {"p": "3"}]}),
        ("a%5Bb%5D=%E2%82%AC+1", {"a": {"b": "€ 1"}}),
        ("metadata[0]=zero", {"metadata": ["zero"]}),
    ],
)
def test_brackets_nest(text: str, tree: object) -> None:
    assert decode(text) == tree


@pytest.mark.parametrize(
    "text", ["a[=1", "a]=1", "[a]=1", "=1", "a=1&a[b]=2", "a[b]=2&a=1", "a=%ff"]
)
def test_malformed_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode(text)
    assert caught.value.status == 400


@given(st.text(alphabet="ab0[]=&%+", max_size=30))
def test_any_text_is_decoded_or_refused(text: str) -> None:
    with suppress(ApiError):
        assert isinstance(decode(text), dict)
