from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from api_gateway.decisions import service_tokens
from api_gateway.decisions.service_tokens import (
    Scope,
    ServiceCaller,
    StoredToken,
    decide_configured,
    decide_stored,
    token_digest,
)

pytestmark = pytest.mark.requirement("AUTH-08")

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DIGEST = hashlib.sha256(b"new").hexdigest()


def stored(**changes: object) -> StoredToken:
    facts: dict[str, object] = {
        "name": "usage-meter",
        "token_sha256": DIGEST,
        "scopes": frozenset({"directory.read"}),
        "expires_at": None,
        "revoked_at": None,
    }
    return StoredToken(**(facts | changes))  # type: ignore[arg-type]


def test_configured_tokens_are_known_by_their_digests_and_may_everything() -> None:
    digests = [hashlib.sha256(token).hexdigest() for token in (b"old", b"new")]
    for token, name in (("old", "configured-1"), ("new", "configured-2")):
        digest = token_digest(token)
        assert digest is not None
        caller = decide_configured(digest, digests)
        assert caller == ServiceCaller(name, frozenset(Scope))
    for wrong in ("OLD", "older", digests[0]):
        digest = token_digest(wrong)
        assert digest is not None
        assert decide_configured(digest, digests) is None
    assert decide_configured(digests[0], []) is None


@pytest.mark.parametrize("token", ["", "old ", "\ud800", "\u00e9", "a\nb", "x" * 513])
def test_what_no_token_looks_like_is_not_even_looked_up(token: str) -> None:
    assert token_digest(token) is None


@pytest.mark.parametrize(
    ("row", "is_known"),
    [
        (stored(), True),
        (None, False),
        (stored(token_sha256="0" * 64), False),
        (stored(revoked_at=NOW - timedelta(days=1)), False),
        (stored(revoked_at=NOW + timedelta(days=1)), False),  # a clock that differs revives nobody
        (stored(expires_at=NOW), False),
        (stored(expires_at=NOW + timedelta(seconds=1)), True),
    ],
)
def test_a_stored_token_is_valid_until_it_is_revoked_or_expires(
    row: StoredToken | None, *, is_known: bool
) -> None:
    caller = decide_stored(DIGEST, row, now=NOW)
    assert (caller is not None) is is_known
    if caller is not None:
        assert caller.may(Scope.DIRECTORY_READ)
        assert not caller.may(Scope.DIRECTORY_WRITE)


def test_every_comparison_takes_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    class Watched:
        compare_digest = staticmethod(compare)

    monkeypatch.setattr(service_tokens, "hmac", Watched)
    decide_configured(DIGEST, [DIGEST, "0" * 64, "1" * 64])
    assert len(compared) == 3  # not fewer because the first matched
    decide_stored(DIGEST, stored(token_sha256="0" * 64), now=NOW)
    assert len(compared) == 4
