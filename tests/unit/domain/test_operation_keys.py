"""One click, one name: keys are deterministic, secret, and never meet by concatenation."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.domain.operation_keys import operation_key, provider_idempotency_key

SECRET = b"a" * 32
TEXT = st.text(max_size=20)


def _operation(action: str = "checkout", entity: int = 1, key: str = "k") -> str:
    return operation_key(
        SECRET, action=action, billable_entity_id=entity, client_idempotency_key=key
    )


@pytest.mark.requirement("IDEM-06")
def test_the_same_click_always_derives_the_same_key() -> None:
    """Pinned: a change of this function would orphan every stored operation."""
    assert _operation() == "0b67bd1008a2417ad3dc5601c8b31ec2af0468be4fa0d3805ff9ccaecbb60a7a"
    assert (
        provider_idempotency_key(
            SECRET, provider="stripe", action="checkout", operation_key=_operation()
        )
        == "39e97959ba7d4614c37604c66f334b236e9d02c83a713ff803e5e10315a41594"
    )


@given(st.tuples(TEXT, st.integers(0, 2**63), TEXT), st.tuples(TEXT, st.integers(0, 2**63), TEXT))
def test_different_clicks_never_share_a_key(
    one: tuple[str, int, str], other: tuple[str, int, str]
) -> None:
    assert (_operation(*one) == _operation(*other)) is (one == other)
    assert re.fullmatch(r"[0-9a-f]{64}", _operation(*one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", 1, "1b"), ("a", 11, "b")),
        (("ab", 1, "c"), ("a", 1, "bc")),
        (("", 1, "x"), ("x", 1, "")),
    ],
)
def test_parts_do_not_run_into_each_other(
    one: tuple[str, int, str], other: tuple[str, int, str]
) -> None:
    assert _operation(*one) != _operation(*other)


def test_another_secret_is_another_key() -> None:
    other = operation_key(
        b"b" * 32, action="checkout", billable_entity_id=1, client_idempotency_key="k"
    )
    assert other != _operation()


def test_the_provider_key_depends_on_every_part() -> None:
    def key(provider: str = "stripe", action: str = "checkout", operation: str = "o") -> str:
        return provider_idempotency_key(
            SECRET, provider=provider, action=action, operation_key=operation
        )

    keys = {key(), key(provider="x"), key(action="x"), key(operation="x")}
    assert len(keys) == 4
