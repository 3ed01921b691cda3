"""Webhook signatures: `t=<unix seconds>,v1=<hmac sha256 of "t.payload">`, one `v1` per secret."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence


def sign(payload: bytes, secrets: Sequence[str], timestamp: int) -> str:
    """The value of the `Stripe-Signature` header, with Stripe's bogus test `v0` at the end."""
    message = f"{timestamp}.".encode() + payload
    marks = [hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() for secret in secrets]
    bogus = hashlib.sha256(message).hexdigest()
    return ",".join([f"t={timestamp}", *(f"v1={mark}" for mark in marks), f"v0={bogus}"])
