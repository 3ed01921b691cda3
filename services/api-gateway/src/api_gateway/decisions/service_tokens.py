"""Which of our services is this, and what may it do? Only digests of tokens are known here."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

# Whoever makes a token makes it of at least 128 bits: 32 characters of hex, or more.
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,512}", re.ASCII)


class Scope(StrEnum):
    """What a service token may allow. Every internal route names the one that it needs."""

    DIRECTORY_READ = "directory.read"
    DIRECTORY_WRITE = "directory.write"
    SERVICE_TOKENS_READ = "service_tokens.read"
    SERVICE_TOKENS_WRITE = "service_tokens.write"


@dataclass(frozen=True, slots=True)
class ServiceCaller:
    """A service that proved who it is."""

    name: str
    scopes: frozenset[str]

    def may(self, scope: Scope) -> bool:
        """Scopes are exact words; none includes another."""
        return scope.value in self.scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """A row of identity_service_tokens."""

    name: str
    token_sha256: str
    scopes: frozenset[str]
    expires_at: datetime | None
    revoked_at: datetime | None


def token_digest(token: str) -> str | None:
    """SHA-256 in hex, or None for what no token of ours looks like."""
    if not _TOKEN.fullmatch(token):
        return None
    return hashlib.sha256(token.encode()).hexdigest()


def decide_configured(digest: str, configured: Sequence[str]) -> ServiceCaller | None:
    """The holder of a token from the settings, who may do everything: it makes the others.

    Compares with every digest, in constant time per digest.
    """
    matches = [hmac.compare_digest(digest, known) for known in configured]
    if not any(matches):
        return None
    return ServiceCaller(f"configured-{matches.index(True) + 1}", frozenset(Scope))


def decide_stored(
    digest: str, stored: StoredToken | None, *, now: datetime
) -> ServiceCaller | None:
    """The holder of a stored token that is neither revoked nor expired."""
    if stored is None or not hmac.compare_digest(digest, stored.token_sha256):
        return None
    if stored.revoked_at is not None:
        return None
    if stored.expires_at is not None and stored.expires_at <= now:
        return None
    return ServiceCaller(stored.name, stored.scopes)
