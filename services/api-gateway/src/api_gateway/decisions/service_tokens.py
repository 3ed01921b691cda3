"""Is this one of our own services? Only digests of the tokens are known here."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence


def is_service_token(token: str, digests: Sequence[str]) -> bool:
    """Compares with every digest, in constant time per digest."""
    presented = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
    matches = [hmac.compare_digest(presented, digest) for digest in digests]
    return any(matches)
