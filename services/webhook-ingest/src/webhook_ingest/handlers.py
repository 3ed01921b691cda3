"""One delivery: verify the raw bytes, learn its key, make it durable, only then say yes.

Nothing is parsed before the signature holds, and nothing reaches Kafka before both do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from billing_common.contracts.stripe_event_headers import StripeEventHeaders
from billing_common.domain.errors import PoisonError, TransientError
from billing_common.domain.failure_codes import FailureCode
from billing_common.stripe_api.signature import SignatureInvalid, verify
from webhook_ingest.decisions import Refused, StripeEvent, decide_event

log = structlog.get_logger()


class EventLog(Protocol):
    """Where events become durable. Raises TransientError when that is not certain."""

    async def append(
        self, *, key: bytes, value: bytes, headers: StripeEventHeaders, timeout_seconds: float
    ) -> None:
        """Return only when every in-sync replica holds the record."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """What this endpoint accepts. `secrets` has one entry, or two during a rotation."""

    secrets: Sequence[str]
    livemode: bool
    account_id: str | None
    publish_timeout_seconds: float


class DeliveryHandler:
    """Answers a delivery with None (durable) or with the code that says why not."""

    def __init__(
        self, *, event_log: EventLog, policy: DeliveryPolicy, clock: Callable[[], datetime]
    ) -> None:
        self._event_log = event_log
        self._policy = policy
        self._clock = clock

    async def accept(
        self, payload: bytes, *, signature: str | None, received_at: datetime
    ) -> FailureCode | None:
        """`payload` is the body exactly as received. Raises nothing for any content."""
        if not payload:
            return FailureCode.WEBHOOK_BODY_MISSING
        if not signature:
            return FailureCode.WEBHOOK_SIGNATURE_MISSING
        try:
            verify(payload, signature, secrets=self._policy.secrets, now=self._clock())
        except SignatureInvalid:
            return FailureCode.WEBHOOK_SIGNATURE_INVALID
        decided = decide_event(
            payload,
            expected_livemode=self._policy.livemode,
            expected_account_id=self._policy.account_id,
        )
        if isinstance(decided, Refused):
            # Signed by Stripe and yet refused: somebody should look at the endpoint's set-up.
            log.warning("ingest.signed_event_refused", code=decided.code.value)
            return decided.code
        return await self._make_durable(decided, payload, received_at)

    async def _make_durable(
        self, event: StripeEvent, payload: bytes, received_at: datetime
    ) -> FailureCode | None:
        headers = StripeEventHeaders(
            event_id=event.id,
            event_type=event.type,
            created=event.created,
            api_version=event.api_version,
            livemode=event.livemode,
            received_at=received_at,
        )
        try:
            await self._event_log.append(
                key=event.key.encode("ascii"),
                value=payload,
                headers=headers,
                timeout_seconds=self._policy.publish_timeout_seconds,
            )
        except TransientError as error:
            # It may be in the log all the same: Stripe sends it again and projection dedupes.
            log.warning("ingest.not_durable", provider_event_id=event.id, error=error)
            return FailureCode.SERVICE_UNAVAILABLE
        except PoisonError as error:
            log.error("ingest.record_rejected", provider_event_id=event.id, error=error)
            return FailureCode.WEBHOOK_PAYLOAD_INVALID
        return None
