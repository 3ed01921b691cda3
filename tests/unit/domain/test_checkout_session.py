"""When a session blocks its entity, and when its time is over though nobody has said so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing_common.domain.checkout_session import (
    BLOCKING,
    EXPIRY_GRACE,
    CheckoutSession,
    SessionFlow,
    SessionStatus,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
A_MOMENT = timedelta(microseconds=1)


def _session(
    status: SessionStatus,
    expires_at: datetime | None,
    flow: SessionFlow = SessionFlow.SUBSCRIPTION,
) -> CheckoutSession:
    return CheckoutSession(
        id=1,
        billable_entity_id=1,
        provider="stripe",
        flow=flow,
        operation_key="o",
        idempotency_row_id=None,
        provider_checkout_session_id=None,
        provider_customer_id=None,
        provider_subscription_id=None,
        status=status,
        checkout_url=None,
        expires_at=expires_at,
        completed_at=None,
        watermark=None,
        row_version=1,
    )


OPEN, PAID, HOLD = (
    SessionStatus.OPEN,
    SessionStatus.COMPLETED_PENDING_SUBSCRIPTION,
    SessionStatus.RECOVERY_VERIFICATION_PENDING,
)


@pytest.mark.requirement("CHK-03")
@pytest.mark.parametrize(
    ("status", "expires_at", "blocks"),
    [
        # Open: until its expiry and 90 s more, for the provider's clock and its late event.
        (OPEN, NOW, True),
        (OPEN, NOW - EXPIRY_GRACE + A_MOMENT, True),
        (OPEN, NOW - EXPIRY_GRACE, False),
        (OPEN, None, True),
        # A hold ends at its horizon: the grace is in it.
        (HOLD, NOW + A_MOMENT, True),
        (HOLD, NOW, False),
        # Paid: always, however long its subscription takes.
        (PAID, NOW - timedelta(days=9), True),
        (SessionStatus.EXPIRED, NOW + timedelta(days=1), False),
        (SessionStatus.ABANDONED, NOW + timedelta(days=1), False),
        (SessionStatus.COMPLETED_RECONCILED, NOW + timedelta(days=1), False),
    ],
)
def test_when_a_session_blocks(
    status: SessionStatus, expires_at: datetime | None, blocks: bool
) -> None:
    assert _session(status, expires_at).is_blocking(NOW) is blocks


@pytest.mark.requirement("SCOPE-05")
@pytest.mark.parametrize("status", sorted(BLOCKING))
def test_a_one_off_session_blocks_nobody(status: SessionStatus) -> None:
    one_off = _session(status, NOW + timedelta(days=1), SessionFlow.ONE_OFF)
    assert not one_off.is_blocking(NOW)


def test_the_grace_is_ninety_seconds() -> None:
    assert timedelta(seconds=90) == EXPIRY_GRACE
