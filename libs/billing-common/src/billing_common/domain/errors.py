"""The kinds of failure, because the kind decides what happens next.

Transient: try again later. Poison: this message can never succeed; dead-letter it. Refusal: the
caller gets a stable code. Bug: an impossible state; crash rather than corrupt.
"""

from __future__ import annotations

from typing import ClassVar


class BillingError(Exception):
    """Base of every error Holdfast raises on purpose. `code` is stable and for machines."""

    code: ClassVar[str] = "billing_error"


class TransientError(BillingError):
    """The world was not ready (server down, lock lost, broker away). Retry with backoff."""

    code: ClassVar[str] = "transient"


class PoisonError(BillingError):
    """The message itself is wrong and will stay wrong. Keep the bytes, dead-letter, go on."""

    code: ClassVar[str] = "poison"


class BugError(BillingError):
    """A state that our own rules forbid. Stop rather than write on top of it."""

    code: ClassVar[str] = "bug"
