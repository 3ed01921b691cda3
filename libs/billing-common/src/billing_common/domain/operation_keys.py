"""Deterministic keys: the same click always derives the same operation and provider key.

HMAC, not a plain hash, so that nobody who knows a client key can name the operation.
Parts are length-prefixed: "a|b" + "c" and "a" + "b|c" must not meet.
"""

from __future__ import annotations

import hashlib
import hmac


def _digest(secret: bytes, *parts: str) -> str:
    message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def operation_key(
    secret: bytes, *, action: str, billable_entity_id: int, client_idempotency_key: str
) -> str:
    """Our public name of one client intent: 64 hex characters."""
    return _digest(secret, action, str(billable_entity_id), client_idempotency_key)


def provider_idempotency_key(
    secret: bytes, *, provider: str, action: str, operation_key: str, attempt: int = 1
) -> str:
    """The key that every call of this operation sends to the provider: 64 hex characters.

    `attempt`, from 1: the next key of a fixed series, for when the provider repeats a stored 5xx
    for the one before.
    """
    series = () if attempt == 1 else (str(attempt),)
    return _digest(secret, provider, action, operation_key, *series)
