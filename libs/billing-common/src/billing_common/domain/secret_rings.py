"""HMAC secrets that rotate: the first makes new keys, all of them recognise old ones.

What was stored is never derived anew, so taking a new secret changes no key that exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

SECRET_LENGTH_MIN: Final = 32
SECRETS_MAX: Final = 5
_ENTRY: Final = re.compile(r"([a-z0-9][a-z0-9_-]{0,15}):(.+)", re.ASCII)
_ONLY_ID: Final = "only"


@dataclass(frozen=True, slots=True)
class NamedSecret:
    """`id` may be shown; `value` never is."""

    id: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecretRing:
    """One secret or more, the newest first."""

    secrets: tuple[NamedSecret, ...]

    @property
    def current(self) -> bytes:
        """What new keys are made with."""
        return self.secrets[0].value

    @property
    def all(self) -> tuple[bytes, ...]:
        """What older keys may have been made with, the newest first."""
        return tuple(secret.value for secret in self.secrets)


def parse_secret_ring(text: str) -> SecretRing:
    """From `secret`, or from `id:secret,id:secret`, the newest first. Raises ValueError, which
    never quotes the text."""
    parts = [part.strip() for part in text.split(",")]
    named = [_ENTRY.fullmatch(part) for part in parts]
    if len(parts) == 1 and named[0] is None:
        return SecretRing((_checked(_ONLY_ID, parts[0]),))
    secrets = tuple(_checked(found[1], found[2]) for found in named if found is not None)
    if len(secrets) < len(parts):
        raise ValueError("several secrets must be written as id:secret,id:secret")
    if len(secrets) > SECRETS_MAX:
        raise ValueError(f"must be at most {SECRETS_MAX} secrets")
    if len({secret.id for secret in secrets}) < len(secrets):
        raise ValueError("names an id twice")
    if len({secret.value for secret in secrets}) < len(secrets):
        raise ValueError("holds a secret twice")
    return SecretRing(secrets)


def _checked(identifier: str, value: str) -> NamedSecret:
    if len(value) < SECRET_LENGTH_MIN:
        raise ValueError(f"every secret must have at least {SECRET_LENGTH_MIN} characters")
    return NamedSecret(identifier, value.encode())
