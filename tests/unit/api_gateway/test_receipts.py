from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.decisions.receipts import (
    RECEIPT_LENGTH_MAX,
    SETTLING,
    Receipt,
    read_receipt,
    receipt_text,
)
from billing_common.domain.idempotency import Action

pytestmark = pytest.mark.requirement("CHK-12")

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY, OLD, NEW = "a" * 64, b"o" * 32, b"n" * 32
RECEIPT = Receipt(
    operation_key=KEY,
    action=Action.PAYMENT_LINK,
    billable_entity_id=2**63,
    accepted_at=NOW,
    deadline_at=NOW + timedelta(seconds=25),
)


def test_a_receipt_says_what_was_accepted_also_after_a_rotation() -> None:
    text = receipt_text(RECEIPT, OLD)
    assert len(text) <= RECEIPT_LENGTH_MAX
    assert read_receipt(text, operation_key=KEY, secrets=(NEW, OLD)) == RECEIPT
    assert receipt_text(RECEIPT, OLD) == text


def test_it_is_good_for_nothing_else() -> None:
    text = receipt_text(RECEIPT, OLD)
    facts, tag = text.split(".")
    forged = base64.urlsafe_b64encode(b"checkout|1|1|1").decode().rstrip("=")
    for wrong in ("", ".", facts, f"{facts}.", f"{forged}.{tag}", f"{facts}.{tag[:-2]}", "x" * 300):
        assert read_receipt(wrong, operation_key=KEY, secrets=(OLD,)) is None
    assert read_receipt(text, operation_key="b" * 64, secrets=(OLD,)) is None
    assert read_receipt(text, operation_key=KEY, secrets=(NEW,)) is None
    assert read_receipt(text, operation_key=KEY, secrets=()) is None


@given(st.text(max_size=80))
def test_no_text_makes_it_fail(text: str) -> None:
    assert read_receipt(text, operation_key=KEY, secrets=(OLD,)) is None
    assert read_receipt(f"{text}.{text}", operation_key=KEY, secrets=(OLD,)) is None


def test_after_its_deadline_and_a_margin_nobody_begins_it_any_more() -> None:
    assert RECEIPT.is_due(NOW)
    assert RECEIPT.is_due(RECEIPT.deadline_at + SETTLING - timedelta(seconds=1))
    assert not RECEIPT.is_due(RECEIPT.deadline_at + SETTLING)
