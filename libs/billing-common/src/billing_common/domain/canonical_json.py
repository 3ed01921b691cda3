"""One text per JSON value, so that equal requests hash equally and replays are byte-identical."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Keys sorted, no spaces, UTF-8, no NaN. Lists keep their order.

    Raises ValueError for NaN and infinities, TypeError for values that are not JSON.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256_hex(text: str) -> str:
    """SHA-256 of the UTF-8 text, 64 lower-case hex characters."""
    return hashlib.sha256(text.encode()).hexdigest()
