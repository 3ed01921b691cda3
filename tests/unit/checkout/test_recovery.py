"""What may be done with a stalled operation: the order of the rules, and that they are total."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.checkout.builders import (
    NOW,
    OURS,
    PROVENANCE,
    THEIRS,
    frozen,
    operation,
    session,
)

from billing_common.domain.checkout_session import EXPIRY_GRACE, SessionFlow, SessionStatus
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import OperationEvent
from checkout.decisions.recovery import (
    End,
    FinishKnown,
    Repeat,
    created_window,
    decide_hold,
    decide_recovery,
    hold_end,
    lease_seconds,
)

_CODE = FailureCode
SCHEMA = frozen().schema_version
ELAPSED = {"replay_deadline_at": NOW}
OTHER_API = {"api_version": "2025-01-01.acacia"}
ALTERED = {"params_hash": "0" * 64}


def decide(**changes: Any) -> FinishKnown | End | Repeat:
    return decide_recovery(
        operation(**changes), provenance=PROVENANCE, schema_version=SCHEMA, now=NOW
    )


@pytest.mark.requirement("IDEM-11")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # nothing wrong
        ({}, "repeat"),
        # each rule alone
        ({"frozen": None}, _CODE.CHECKOUT_CONFIGURATION_INVALID),
        ({"provider_session_id": "cs_1"}, "finish"),
        ({"frozen": frozen(**ELAPSED)}, _CODE.CHECKOUT_RECOVERY_WINDOW_ELAPSED),
        ({"frozen": frozen(**OTHER_API)}, _CODE.CHECKOUT_REPLAY_PROVENANCE_MISMATCH),
        ({"frozen": frozen(sdk_version="17.0.0")}, _CODE.CHECKOUT_REPLAY_PROVENANCE_MISMATCH),
        ({"frozen": frozen(sdk_version="")}, _CODE.CHECKOUT_REPLAY_PROVENANCE_MISMATCH),
        ({"frozen": frozen(sdk_version="16.9.9")}, "repeat"),
        ({"frozen": frozen(schema_version="v0")}, _CODE.CHECKOUT_REPLAY_PROVENANCE_MISMATCH),
        ({"frozen": frozen(**ALTERED)}, _CODE.CHECKOUT_CONFIGURATION_INVALID),
        # an earlier rule wins over a later one
        ({"frozen": None, "provider_session_id": "cs_1"}, _CODE.CHECKOUT_CONFIGURATION_INVALID),
        ({"frozen": frozen(**ELAPSED), "provider_session_id": "cs_1"}, "finish"),
        ({"frozen": frozen(**ELAPSED, **OTHER_API)}, _CODE.CHECKOUT_RECOVERY_WINDOW_ELAPSED),
        ({"frozen": frozen(**OTHER_API, **ALTERED)}, _CODE.CHECKOUT_REPLAY_PROVENANCE_MISMATCH),
        # one instant before the deadline
        ({"frozen": frozen(replay_deadline_at=NOW + timedelta(microseconds=1))}, "repeat"),
    ],
)
def test_the_first_rule_that_applies_decides(changes: dict[str, Any], expected: object) -> None:
    match decide(**changes):
        case End(code=code):
            assert code is expected
        case FinishKnown(provider_object_id):
            assert (expected, provider_object_id) == ("finish", "cs_1")
        case Repeat(request):
            assert expected == "repeat"
            assert request.params_json == operation().frozen.params_json  # type: ignore[union-attr]


moments = st.integers(-48 * 3600, 48 * 3600).map(lambda seconds: NOW + timedelta(seconds=seconds))
requests = st.none() | st.builds(
    frozen,
    replay_deadline_at=moments,
    session_expires_at_upper_bound=moments,
    api_version=st.sampled_from([PROVENANCE.api_version, "", "2025-01-01.acacia"]),
    sdk_version=st.sampled_from(["16.1.0", "16", "", "17.0.0", "x"]),
    params_hash=st.sampled_from([frozen().params_hash, "0" * 64]),
)


@pytest.mark.requirement("IDEM-09")
@pytest.mark.requirement("IDEM-12")
@pytest.mark.requirement("IDEM-13")
@given(request=requests, session_id=st.none() | st.just("cs_1"), now=moments)
def test_the_decision_is_total_and_never_unsafe(
    request: Any, session_id: str | None, now: Any
) -> None:
    row = operation(frozen=request, provider_session_id=session_id)

    decision = decide_recovery(row, provenance=PROVENANCE, schema_version=SCHEMA, now=now)

    match decision:
        case Repeat():
            assert session_id is None
            assert now < request.replay_deadline_at
            assert request.api_version == PROVENANCE.api_version
            assert request.params_hash == frozen().params_hash
        case End(event=event, code=code, reason=reason, hold_until=hold_until):
            assert reason
            assert event in (OperationEvent.REFUSED, OperationEvent.WINDOW_ELAPSED)
            if hold_until is not None:
                assert hold_until == hold_end(request)
                assert hold_until >= request.session_expires_at_upper_bound + EXPIRY_GRACE
            elif code is FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED:
                assert now >= hold_end(request), "without a hold nothing can be paid any more"
        case FinishKnown():
            assert session_id is not None


@pytest.mark.requirement("IDEM-13")
@pytest.mark.parametrize("status", SessionStatus)
@pytest.mark.parametrize("hours", [-1, 1])
def test_a_hold_never_regresses_and_never_shortens(status: SessionStatus, hours: int) -> None:
    row = session(status, expires_at=NOW + timedelta(hours=hours))

    hold = decide_hold(operation(), sessions=[row], until=NOW)

    if status is SessionStatus.RECOVERY_VERIFICATION_PENDING and hours < 0:
        assert hold is not None
        assert (hold.id, hold.expires_at) == (row.id, NOW)
    else:
        assert hold is None


def test_a_hold_without_an_end_is_left_alone() -> None:
    row = session(SessionStatus.RECOVERY_VERIFICATION_PENDING, expires_at=None)

    assert decide_hold(operation(), sessions=[row], until=NOW) is None


@pytest.mark.requirement("SCOPE-05")
def test_a_blocked_entity_needs_no_hold() -> None:
    other = session(SessionStatus.OPEN, operation_key=THEIRS)
    one_off = session(SessionStatus.OPEN, operation_key=THEIRS, flow=SessionFlow.ONE_OFF)
    ended = session(SessionStatus.EXPIRED, operation_key=THEIRS)

    assert decide_hold(operation(), sessions=[other], until=NOW) is None
    hold = decide_hold(operation(), sessions=[one_off, ended], until=NOW)
    assert hold is not None
    assert (hold.id, hold.operation_key, hold.provider_checkout_session_id) == (None, OURS, None)
    assert hold.status is SessionStatus.RECOVERY_VERIFICATION_PENDING


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 60), (2, 120), (3, 240), (4, 240), (99, 240)])
def test_leases_double_up_to_four_times(attempt: int, seconds: float) -> None:
    assert lease_seconds(60, recovery_attempt_count=attempt) == seconds


def test_the_created_window_covers_skew_and_the_whole_life() -> None:
    first, last = created_window(frozen())

    assert first < frozen().frozen_at - timedelta(minutes=9)
    assert last == frozen().session_expires_at_upper_bound
