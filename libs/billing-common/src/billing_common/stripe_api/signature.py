"""Is this webhook really Stripe's, and really now?

The SDK's check, inside our own guard: it raises TypeError and UnicodeDecodeError on bytes that
anybody can send, and it accepts timestamps from the future.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from stripe import SignatureVerificationError, WebhookSignature

from billing_common.domain.errors import BillingError

TOLERANCE_SECONDS: Final = 300
# The real header is under 300 characters even with two signatures.
HEADER_LENGTH_MAX: Final = 4096


class SignatureInvalid(BillingError):  # noqa: N818 - exceptions are facts here
    """The header is absent, damaged, too old, from the future, or signed by somebody else."""

    code = "webhook_signature_invalid"


def verify(
    payload: bytes,
    header: str | None,
    *,
    secrets: Sequence[str],
    now: datetime,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> None:
    """Return when one of `secrets` signed `payload` within the tolerance of `now`, both ways.

    Raises SignatureInvalid for everything else, whatever the bytes are.
    """
    if header is None or len(header) > HEADER_LENGTH_MAX or not header.isascii():
        raise SignatureInvalid("the signature header is missing or damaged")
    if abs(now.timestamp() - _timestamp(header)) > tolerance_seconds:
        raise SignatureInvalid("the signature's time is outside the tolerance")
    for secret in secrets:
        try:
            WebhookSignature.verify_header(payload, header, secret)
        except (SignatureVerificationError, UnicodeDecodeError, TypeError, ValueError):
            continue
        return
    raise SignatureInvalid("no configured secret signed this body")


def _timestamp(header: str) -> int:
    """The one `t=` of the header. Two of them would let the SDK and us read different ones."""
    values = [part[2:] for part in header.split(",") if part.startswith("t=")]
    if len(values) != 1 or not values[0].isdigit() or len(values[0]) > 12:
        raise SignatureInvalid("the signature header names no single time")
    return int(values[0])
