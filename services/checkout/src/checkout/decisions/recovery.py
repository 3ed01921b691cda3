"""A pending operation whose worker is gone: what may be done with it, in this order.

Finish with the session that is known; past the deadline hold and end; refuse to repeat what
another version began or what was altered; else send the frozen request again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from billing_common.domain.canonical_json import sha256_hex
from billing_common.domain.checkout_session import (
    BLOCKING,
    EXPIRY_GRACE,
    CheckoutSession,
    SessionFlow,
    SessionStatus,
)
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import FrozenRequest, Operation, OperationEvent
from billing_common.domain.provider_objects import Provenance

# A lease doubles with every recovery up to this factor: that is the backoff between attempts.
LEASE_FACTOR_MAX: Final = 4
# With a lease of 60 s that is about 6 h 30 min of asking; then a person is told.
RECOVERY_ATTEMPTS_MAX: Final = 100
CREATED_SKEW: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class FinishKnown:
    """Its object is known: retrieve it and finish."""

    provider_object_id: str
    frozen: FrozenRequest


@dataclass(frozen=True, slots=True)
class End:
    """It cannot be finished. `hold_until`: nothing else may be sold before, when given."""

    event: OperationEvent
    code: FailureCode
    reason: str
    hold_until: datetime | None


@dataclass(frozen=True, slots=True)
class Repeat:
    """Send the frozen request again, under the same key."""

    frozen: FrozenRequest


def decide_recovery(
    operation: Operation, *, provenance: Provenance, schema_version: str, now: datetime
) -> FinishKnown | End | Repeat:
    """Total over pending operations. `now` is the database's clock, `schema_version` the kind of
    request that this process would freeze."""
    frozen = operation.frozen
    if frozen is None:
        return _end_invalid("the frozen request is missing")
    if operation.provider_session_id is not None and not _is_tired(operation):
        return FinishKnown(operation.provider_session_id, frozen)
    hold_until = hold_end(frozen)
    why_over = _why_over(operation, frozen, now)
    if why_over is not None:
        return End(
            OperationEvent.WINDOW_ELAPSED,
            FailureCode.CHECKOUT_RECOVERY_WINDOW_ELAPSED,
            why_over,
            hold_until if now < hold_until else None,
        )
    if not is_same_provenance(frozen, provenance, schema_version=schema_version):
        return End(
            OperationEvent.REFUSED,
            FailureCode.CHECKOUT_REPLAY_PROVENANCE_MISMATCH,
            f"frozen for {frozen.sdk_name} {frozen.sdk_version}, {frozen.api_version}; this is "
            f"{provenance.sdk_name} {provenance.sdk_version}, {provenance.api_version}",
            hold_until,
        )
    if sha256_hex(frozen.params_json) != frozen.params_hash:
        return _end_invalid("the frozen request does not match its hash")
    return Repeat(frozen)


def _why_over(operation: Operation, frozen: FrozenRequest, now: datetime) -> str | None:
    if now >= frozen.replay_deadline_at:
        return "the provider may have forgotten the key; repeating could create a second object"
    if _is_tired(operation):
        return f"{operation.recovery_attempt_count} recoveries got no certain answer"
    return None


def _is_tired(operation: Operation) -> bool:
    return operation.recovery_attempt_count >= RECOVERY_ATTEMPTS_MAX


def hold_end(frozen: FrozenRequest) -> datetime:
    """From then on no session of this request can be paid any more."""
    return max(frozen.session_expires_at_upper_bound, frozen.replay_deadline_at) + EXPIRY_GRACE


def is_same_provenance(
    frozen: FrozenRequest, provenance: Provenance, *, schema_version: str
) -> bool:
    """The same kind of request, SDK, major version of it, and API version."""
    major, runtime_major = (
        version.split(".", 1)[0] for version in (frozen.sdk_version, provenance.sdk_version)
    )
    return (
        bool(major)
        and major == runtime_major
        and bool(frozen.api_version)
        and frozen.api_version == provenance.api_version
        and frozen.sdk_name == provenance.sdk_name
        and frozen.schema_version == schema_version
    )


def decide_hold(
    operation: Operation, *, sessions: Iterable[CheckoutSession], until: datetime
) -> CheckoutSession | None:
    """The hold row to store, or None: a correlated session never regresses, a hold never
    shortens, and an entity that is blocked by another session needs no hold."""
    rows = tuple(sessions)
    mine = next((row for row in rows if row.operation_key == operation.operation_key), None)
    if mine is not None:
        is_shorter_hold = (
            mine.status is SessionStatus.RECOVERY_VERIFICATION_PENDING
            and mine.expires_at is not None
            and mine.expires_at < until
        )
        return replace(mine, expires_at=until) if is_shorter_hold else None
    if any(row.flow is SessionFlow.SUBSCRIPTION and row.status in BLOCKING for row in rows):
        return None
    return CheckoutSession(
        id=None,
        billable_entity_id=operation.billable_entity_id,
        provider=operation.provider,
        flow=SessionFlow(operation.flow or SessionFlow.SUBSCRIPTION),
        operation_key=operation.operation_key,
        idempotency_row_id=operation.id,
        provider_checkout_session_id=None,
        provider_customer_id=None,
        provider_subscription_id=None,
        status=SessionStatus.RECOVERY_VERIFICATION_PENDING,
        checkout_url=None,
        expires_at=until,
        completed_at=None,
        watermark=None,
        row_version=0,
    )


def lease_seconds(base_seconds: float, *, recovery_attempt_count: int) -> float:
    """How long this recovery's lease is: base, then doubled, up to LEASE_FACTOR_MAX times."""
    factor = 1
    for _ in range(recovery_attempt_count - 1):
        factor = min(factor * 2, LEASE_FACTOR_MAX)
        if factor == LEASE_FACTOR_MAX:
            break
    return base_seconds * factor


def created_window(frozen: FrozenRequest) -> tuple[datetime, datetime]:
    """When a session of this request can have been created, clocks being a little apart."""
    return frozen.frozen_at - CREATED_SKEW, frozen.session_expires_at_upper_bound


def _end_invalid(reason: str) -> End:
    return End(OperationEvent.REFUSED, FailureCode.CHECKOUT_CONFIGURATION_INVALID, reason, None)
