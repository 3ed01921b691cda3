"""Is this a usable Idempotency-Key?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from billing_common.domain.failure_codes import FailureCode

_KEY: Final = re.compile(r"[\x20-\x7e]{1,191}", re.ASCII)


def decide_client_key(headers: Sequence[str]) -> str | FailureCode:
    """The key out of all Idempotency-Key headers sent: exactly one, trimmed, never altered."""
    keys = [value.strip(" \t") for value in headers]
    if not any(keys):
        return FailureCode.IDEMPOTENCY_KEY_REQUIRED
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        return FailureCode.IDEMPOTENCY_KEY_INVALID
    return keys[0]
