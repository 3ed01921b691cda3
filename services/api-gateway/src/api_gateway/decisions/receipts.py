"""Proof that a write was accepted, for the time until its row exists.

A command may wait on Kafka before checkout claims it. Until then the database knows nothing of it,
and its owner must not be told that there is nothing. The receipt is in the address that 202 names:
what was accepted, for which account, when, signed with the secret that names operations.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from billing_common.domain.idempotency import Action

RECEIPT_LENGTH_MAX: Final = 200
# A command that was not begun at its deadline never is. Beyond it: what a worker that began in
# time may need until its row can be read, and clocks that differ.
SETTLING: Final = timedelta(seconds=60)
_LABEL: Final = b"holdfast receipt 1"
_TAG_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One accepted write. Times are aware UTC, to the second."""

    operation_key: str
    action: Action
    billable_entity_id: int
    accepted_at: datetime
    deadline_at: datetime

    def is_due(self, now: datetime) -> bool:
        """Whether it may still be begun, or may just have been."""
        return now < self.deadline_at + SETTLING


def receipt_text(receipt: Receipt, secret: bytes) -> str:
    """For a URL: opaque, the same for the same receipt."""
    facts = _facts(receipt)
    return _encoded(facts) + "." + _encoded(_tag(secret, receipt.operation_key, facts))


def read_receipt(text: str, *, operation_key: str, secrets: Sequence[bytes]) -> Receipt | None:
    """The receipt, if one of the secrets made it for this very operation."""
    if len(text) > RECEIPT_LENGTH_MAX or not text.isascii():
        return None
    first, _, second = text.partition(".")
    try:
        facts, tag = _decoded(first), _decoded(second)
    except (binascii.Error, ValueError):
        return None
    # All are tried, so that the time taken tells nothing.
    matches = [hmac.compare_digest(tag, _tag(secret, operation_key, facts)) for secret in secrets]
    return _receipt(operation_key, facts) if any(matches) else None


def _facts(receipt: Receipt) -> bytes:
    return "|".join(
        (
            receipt.action.value,
            str(receipt.billable_entity_id),
            str(int(receipt.accepted_at.timestamp())),
            str(int(receipt.deadline_at.timestamp())),
        )
    ).encode()


def _receipt(operation_key: str, facts: bytes) -> Receipt:
    # Signed by us, so it is in our form.
    action, entity_id, accepted, deadline = facts.decode().split("|")
    return Receipt(
        operation_key=operation_key,
        action=Action(action),
        billable_entity_id=int(entity_id),
        accepted_at=datetime.fromtimestamp(int(accepted), UTC),
        deadline_at=datetime.fromtimestamp(int(deadline), UTC),
    )


def _tag(secret: bytes, operation_key: str, facts: bytes) -> bytes:
    message = b"\0".join((_LABEL, operation_key.encode(), facts))
    return hmac.new(secret, message, hashlib.sha256).digest()[:_TAG_BYTES]


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
