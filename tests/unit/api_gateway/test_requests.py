from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.decisions.checkout_requests import (
    AskedCheckout,
    CheckoutRequest,
    OneOffCheckoutRequest,
    OneOffItem,
    decide_checkout_request,
    fingerprint,
)
from api_gateway.decisions.directory_changes import (
    SyncOutcome,
    decide_members,
    decide_sync,
)
from api_gateway.decisions.idempotency_keys import decide_client_key
from api_gateway.decisions.operation_progress import Until, has_reached
from api_gateway.decisions.submissions import (
    Conflict,
    InProgress,
    Replay,
    Submit,
    decide_submission,
    decide_wait_seconds,
)
from api_gateway.decisions.timeline_pages import Place, cursor_of, place_of
from api_gateway.handlers.command_bus import reply_partition
from billing_common.contracts.topics import REPLIES
from billing_common.domain.checkout_session import CheckoutSession, SessionFlow, SessionStatus
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import Action, Operation, OperationStatus

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def operation(**changes: Any) -> Operation:
    fields: dict[str, Any] = {
        "id": 1,
        "billable_entity_id": 1,
        "action": Action.CHECKOUT,
        "flow": "subscription",
        "client_idempotency_key": "k",
        "request_fingerprint_hash": "f",
        "operation_key": "o",
        "provider": "stripe",
        "provider_idempotency_key": "p",
        "status": OperationStatus.PENDING,
        "lease_version": 1,
        "lease_owner": None,
        "lease_expires_at": None,
        "recovery_attempt_count": 0,
        "frozen": None,
        "provider_session_id": None,
        "response_status": None,
        "response_body": None,
        "failure_code": None,
        "created_at": NOW,
    }
    return Operation(**(fields | changes))


def session(status: SessionStatus) -> CheckoutSession:
    return CheckoutSession(
        id=1,
        billable_entity_id=1,
        provider="stripe",
        flow=SessionFlow.SUBSCRIPTION,
        operation_key="o",
        idempotency_row_id=1,
        provider_checkout_session_id="cs_1",
        provider_customer_id="cus_1",
        provider_subscription_id=None,
        status=status,
        checkout_url=None,
        expires_at=None,
        completed_at=None,
        watermark=None,
        row_version=1,
    )


@pytest.mark.requirement("IDEM-01")
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], FailureCode.IDEMPOTENCY_KEY_REQUIRED),
        ([""], FailureCode.IDEMPOTENCY_KEY_REQUIRED),
        ([" \t"], FailureCode.IDEMPOTENCY_KEY_REQUIRED),
        (["a"], "a"),
        ([" a b "], "a b"),
        (["!" + "~" * 190], "!" + "~" * 190),
        (["x" * 192], FailureCode.IDEMPOTENCY_KEY_INVALID),
        (["a\x7f"], FailureCode.IDEMPOTENCY_KEY_INVALID),
        (["a\x00b"], FailureCode.IDEMPOTENCY_KEY_INVALID),
        (["caf\u00e9"], FailureCode.IDEMPOTENCY_KEY_INVALID),
        (["a", "a"], FailureCode.IDEMPOTENCY_KEY_INVALID),
        (["a", ""], FailureCode.IDEMPOTENCY_KEY_INVALID),
    ],
)
def test_client_keys(headers: list[str], expected: object) -> None:
    assert decide_client_key(headers) == expected


ITEM = OneOffItem(name="Consulting", amount_minor=12_345, quantity=2, currency="usd")


def asked(checkout_type: str | None = None, **changes: object) -> AskedCheckout:
    is_one_off = checkout_type in ONE_OFF_WORDS
    return AskedCheckout(
        **{
            "checkout_type": checkout_type,
            "plan_code": None if is_one_off else "pro",
            "one_off": ITEM if is_one_off else None,
            "success_path": "/a",
            "cancel_path": "/b",
            **changes,
        }
    )


ONE_OFF_WORDS = ["one_off", "one-off", "oneoff", "payment"]


def decide(
    checkout_type: str | None = None, **changes: object
) -> CheckoutRequest | OneOffCheckoutRequest | dict[str, str]:
    return decide_checkout_request(asked(checkout_type, **changes), currency="usd")


def print_of(checkout_type: str | None = None, **changes: object) -> str:
    decided = decide(checkout_type, **changes)
    assert not isinstance(decided, dict)
    return fingerprint(decided.normalized(7))


@pytest.mark.requirement("IDEM-04")
@pytest.mark.parametrize(("quantity", "is_valid"), [(9, True), (10, False)])
def test_a_one_off_total_fits_one_charge(quantity: int, is_valid: bool) -> None:
    item = OneOffItem(name="x", amount_minor=11_111_111, quantity=quantity, currency="usd")
    decided = decide_checkout_request(
        asked("one_off", plan_code=None, one_off=item), currency="usd"
    )
    assert isinstance(decided, OneOffCheckoutRequest) is is_valid
    if isinstance(decided, dict):
        assert set(decided) == {"oneOff.amountMinor"}


def test_the_fingerprint_is_of_the_normal_form() -> None:
    stated = (
        '{"action":"checkout","billableEntityId":7,"cancelPath":"/b",'
        '"checkoutType":"subscription","planCode":"pro","successPath":"/a"}'
    )
    assert print_of() == print_of("subscription") == print_of("")
    assert print_of() == hashlib.sha256(stated.encode()).hexdigest()
    others = {
        print_of(plan_code="Pro"),
        print_of(success_path="/b"),
        print_of(cancel_path="/a"),
        print_of(success_path="/b", cancel_path="/a"),
        print_of("one_off"),
    }
    assert len(others | {print_of()}) == 6


@pytest.mark.requirement("CHK-08")
def test_one_off_has_one_normal_form_whatever_it_is_called() -> None:
    assert len({print_of(word) for word in ONE_OFF_WORDS}) == 1
    others = {
        print_of("one_off", one_off=replace(ITEM, name="consulting")),
        print_of("one_off", one_off=replace(ITEM, amount_minor=12_346)),
        print_of("one_off", one_off=replace(ITEM, quantity=1)),
    }
    assert len(others | {print_of("one_off")}) == 4


@pytest.mark.requirement("CHK-08")
@pytest.mark.parametrize(
    ("checkout_type", "changes", "fields"),
    [
        ("one_off", {"one_off": None}, {"oneOff"}),
        ("one_off", {"plan_code": "pro"}, {"planCode"}),
        ("one_off", {"one_off": replace(ITEM, currency="eur")}, {"oneOff.currency"}),
        ("one_off", {"cancel_path": "//", "one_off": None}, {"cancelPath", "oneOff"}),
        (None, {"plan_code": None}, {"planCode"}),
        ("subscription", {"one_off": ITEM}, {"oneOff"}),
        ("gift", {}, {"checkoutType"}),
        ("gift", {"plan_code": None}, {"checkoutType", "planCode"}),
    ],
)
def test_a_checkout_is_of_one_kind(
    checkout_type: str | None, changes: dict[str, object], fields: set[str]
) -> None:
    decided = decide(checkout_type, **changes)
    assert isinstance(decided, dict)
    assert set(decided) == fields


LEASED = {"lease_owner": "w", "lease_expires_at": NOW + timedelta(seconds=9.2)}
DONE = {"response_status": 200, "response_body": b"x"}


@pytest.mark.requirement("IDEM-03")
@pytest.mark.requirement("IDEM-05")
@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (None, Submit()),
        (operation(request_fingerprint_hash="g"), Conflict()),
        (operation(request_fingerprint_hash="g", **LEASED), Conflict()),
        (
            operation(request_fingerprint_hash="g", status=OperationStatus.SUCCEEDED, **DONE),
            Conflict(),
        ),
        (operation(), Submit()),
        (operation(**LEASED), InProgress(10)),
        (operation(lease_owner="w", lease_expires_at=NOW), Submit()),
        (operation(lease_owner="w", lease_expires_at=NOW + timedelta(hours=1)), InProgress(30)),
        (
            operation(lease_owner="w", lease_expires_at=NOW + timedelta(microseconds=1)),
            InProgress(1),
        ),
        *(
            (operation(status=status, **DONE), Replay(200, b"x"))
            for status in OperationStatus
            if status is not OperationStatus.PENDING
        ),
        (
            operation(status=OperationStatus.FAILED),
            Submit(),
        ),  # its answer is gone: checkout decides
    ],
)
def test_what_a_seen_key_leads_to(stored: Operation | None, expected: object) -> None:
    assert decide_submission(stored, request_fingerprint_hash="f", now=NOW) == expected


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 25),
        ("", 25),
        ("wait=3", 3),
        ("wait=0", 0),
        ("respond-async, wait=10", 10),
        ('wait="7"; x', 7),
        ("wait = 4", 4),
        ("wait=99", 25),
        ("wait=-1", 25),
        ("wait=1e9", 25),
        ("wait=abc", 25),
        ("await=3", 25),
        ("wait=99999", 25),
    ],
)
def test_prefer_only_shortens(prefer: str | None, seconds: float) -> None:
    assert decide_wait_seconds(prefer, seconds_max=25) == seconds


@pytest.mark.requirement("CHK-12")
def test_what_ends_a_wait() -> None:
    done = operation(status=OperationStatus.SUCCEEDED)
    failed = operation(status=OperationStatus.FAILED)
    for until in Until:
        assert not has_reached(until, operation(), None)
        assert has_reached(until, failed, None)
        assert has_reached(until, done, None)
    for status in SessionStatus:
        assert has_reached(Until.FINISHED, done, session(status))
    ends = {
        status for status in SessionStatus if has_reached(Until.PROJECTED, done, session(status))
    }
    assert ends == {
        SessionStatus.COMPLETED_RECONCILED,
        SessionStatus.EXPIRED,
        SessionStatus.ABANDONED,
    }


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(["idempotency", "webhook", "payment"]),
    st.integers(0, 2**64 - 1),
)
def test_a_cursor_reads_back_exactly(moment: datetime, source: str, row_id: int) -> None:
    place = Place(moment, source, row_id)
    assert place_of(cursor_of(place)) == place


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "!",
        "\u00e9",
        "A" * 301,
        base64.urlsafe_b64encode(b"\xff").decode(),
        base64.urlsafe_b64encode(b"[" * 200).decode(),
        encoded(1),
        encoded([]),
        encoded(["2026-01-01T00:00:00", "webhook", 1]),
        encoded(["2026-01-01T00:00:00+00:00", "users", 1]),
        encoded(["2026-01-01T00:00:00+00:00", ["webhook"], 1]),
        encoded(["2026-01-01T00:00:00+00:00", "webhook", -1]),
        encoded(["2026-01-01T00:00:00+00:00", "webhook", True]),
        encoded(["2026-01-01T00:00:00+00:00", "webhook", "1"]),
        encoded([5, "webhook", 1]),
        encoded(["0001-01-01T00:00:00+23:59", "webhook", 1]),
    ],
)
def test_a_cursor_that_is_not_ours(cursor: str) -> None:
    assert place_of(cursor) is None


@pytest.mark.parametrize(
    ("is_new", "stored", "sent", "outcome"),
    [
        (True, 5, 5, SyncOutcome.CREATED),
        (False, 5, 6, SyncOutcome.UPDATED),
        (False, 5, 5, SyncOutcome.UNCHANGED),
        (False, 5, 4, SyncOutcome.STALE),
    ],
)
def test_only_newer_syncs_change_anything(
    is_new: bool, stored: int, sent: int, outcome: SyncOutcome
) -> None:
    assert decide_sync(is_new=is_new, stored_version=stored, sent_version=sent) is outcome


roles = st.dictionaries(st.integers(1, 9), st.sampled_from(["admin", "member"]))


@given(roles, roles)
def test_member_changes_lead_from_stored_to_wanted(
    stored: dict[int, str], wanted: dict[int, str]
) -> None:
    changes = decide_members(stored=stored, wanted=wanted)
    result = {user: role for user, role in stored.items() if user not in changes.removed}
    assert not changes.added.keys() & result.keys()
    assert result | changes.added | changes.changed == wanted
    assert not decide_members(stored=wanted, wanted=wanted).changed


def test_a_replica_keeps_its_reply_partition() -> None:
    partitions = {reply_partition(f"gateway-{number}") for number in range(200)}
    assert partitions == set(range(REPLIES.partitions))
    assert reply_partition("gateway-1") == reply_partition("gateway-1")
