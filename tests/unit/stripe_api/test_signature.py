"""Only what Stripe signed, and only now. Whatever the bytes are, the answer is a value."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_common.stripe_api.signature import (
    HEADER_LENGTH_MAX,
    TOLERANCE_SECONDS,
    SignatureInvalid,
    verify,
)

NOW_SECONDS = 1_795_348_800
NOW = datetime.fromtimestamp(NOW_SECONDS, UTC)
SECRET, NEXT_SECRET, OTHER = "whsec_current", "whsec_next", "whsec_other"
BODY = b'{"id":"evt_1","object":"event"}'


def _signature(body: bytes = BODY, secret: str = SECRET, at: int = NOW_SECONDS) -> str:
    signed = f"{at}.".encode() + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _header(body: bytes = BODY, secret: str = SECRET, at: int = NOW_SECONDS) -> str:
    return f"t={at},v1={_signature(body, secret, at)}"


def _check(body: bytes, header: str | None, *secrets: str) -> None:
    verify(body, header, secrets=secrets or (SECRET,), now=NOW)


def test_a_right_signature_passes() -> None:
    _check(BODY, _header())


@pytest.mark.requirement("EVT-02")
def test_either_of_two_secrets_may_sign() -> None:
    _check(BODY, _header(secret=SECRET), SECRET, NEXT_SECRET)
    _check(BODY, _header(secret=NEXT_SECRET), SECRET, NEXT_SECRET)


@pytest.mark.requirement("EVT-02")
def test_one_header_may_carry_two_signatures() -> None:
    """What Stripe sends while a secret is being rotated."""
    header = f"t={NOW_SECONDS},v1={_signature(secret=OTHER)},v1={_signature()},v0=abc"
    _check(BODY, header)


@pytest.mark.requirement("EVT-02")
@pytest.mark.parametrize("seconds", [-TOLERANCE_SECONDS, 0, TOLERANCE_SECONDS])
def test_the_tolerance_holds_both_ways(seconds: int) -> None:
    _check(BODY, _header(at=NOW_SECONDS + seconds))


@pytest.mark.requirement("EVT-02")
@pytest.mark.parametrize("seconds", [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1, 10**9])
def test_old_and_future_times_are_refused(seconds: int) -> None:
    with pytest.raises(SignatureInvalid, match="tolerance"):
        _check(BODY, _header(at=NOW_SECONDS + seconds))


RIGHT = _signature()
HOSTILE_HEADERS = [
    None,
    "",
    "garbage",
    "t=,v1=",
    f"v1={RIGHT}",
    f"t={NOW_SECONDS}",
    f"t={NOW_SECONDS},v1=",
    f"t={NOW_SECONDS},v0={RIGHT}",
    f"t={NOW_SECONDS},v1={RIGHT[:-1]}",
    f"t={NOW_SECONDS},v1={RIGHT.upper()}",
    f"t={NOW_SECONDS},v1={'0' * 64}",
    f"t={NOW_SECONDS} ,v1={RIGHT}",
    f"t=+{NOW_SECONDS},v1={RIGHT}",
    f"t=-{NOW_SECONDS},v1={RIGHT}",
    f"t={NOW_SECONDS}.0,v1={RIGHT}",
    f"t={'9' * 400},v1={RIGHT}",
    f"t=٣٤,v1={RIGHT}",
    # Two times: the SDK and we would read different ones.
    f"t={NOW_SECONDS},t=1,v1={RIGHT}",
    f"t=1,t={NOW_SECONDS},v1={RIGHT}",
    f"t={NOW_SECONDS},v1=é",
    f"t={NOW_SECONDS},v1={RIGHT}\udcff",
    f"t={NOW_SECONDS},v1={RIGHT}" + "," * HEADER_LENGTH_MAX,
    f"t={NOW_SECONDS},v1",
    "=,=,=",
]


@pytest.mark.requirement("EVT-01")
@pytest.mark.parametrize("header", HOSTILE_HEADERS)
def test_a_hostile_header_is_refused_and_never_raises_anything_else(header: str | None) -> None:
    with pytest.raises(SignatureInvalid):
        _check(BODY, header)


HOSTILE_BODIES = [
    b"",
    b"\xff\xfe\x00",
    BODY + b" ",
    BODY[:-1],
    BODY.replace(b"1", b"2"),
    b"[" * 9999,
]


@pytest.mark.requirement("EVT-01")
@pytest.mark.parametrize("body", HOSTILE_BODIES)
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        _check(body, _header())


def test_another_secret_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        _check(BODY, _header(secret=OTHER), SECRET, NEXT_SECRET)
    with pytest.raises(SignatureInvalid):
        verify(BODY, _header(), secrets=(), now=NOW)


@pytest.mark.requirement("EVT-01")
@given(st.binary(max_size=200), st.text(max_size=200))
def test_any_bytes_and_any_header_are_refused(body: bytes, header: str) -> None:
    with pytest.raises(SignatureInvalid):
        _check(body, header)


@given(st.binary(max_size=200))
def test_the_guard_only_ever_says_yes_or_no(body: bytes) -> None:
    """Bytes that are not UTF-8 make the SDK raise; signed or not, that is a refusal here."""
    with contextlib.suppress(SignatureInvalid):
        _check(body, _header(body))
        assert body.decode() is not None
