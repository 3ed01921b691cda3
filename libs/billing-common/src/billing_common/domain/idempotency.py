"""The life of one client intent: a row of billing_request_idempotency.

pending is the only state that moves. A lease facet inside pending (`lease_version`, lease end)
says who may move it; every terminal write is a compare-and-set on both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from billing_common.domain.lifecycle import Lifecycle, lifecycle


class Action(StrEnum):
    """What the client asked for; part of the key's scope."""

    CHECKOUT = "checkout"
    PORTAL = "portal"
    PAYMENT_LINK = "payment_link"
    PAYMENT_LINK_DEACTIVATION = "payment_link_deactivation"


class OperationStatus(StrEnum):
    """Who moves it out: `pending` is moved by its worker, then recovery, or by an event."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"


class OperationEvent(StrEnum):
    """What can happen to a pending operation."""

    SESSION_BOUND = "session_bound"  # Tx B, or an event that proves the session
    REFUSED = "refused"  # a deterministic refusal, ours or the provider's
    WINDOW_ELAPSED = "window_elapsed"  # it can no longer be replayed or completed


OPERATION: Final[Lifecycle[OperationStatus, OperationEvent]] = lifecycle(
    name="operation",
    initial={OperationStatus.PENDING},
    transitions={
        (OperationStatus.PENDING, OperationEvent.SESSION_BOUND): OperationStatus.SUCCEEDED,
        (OperationStatus.PENDING, OperationEvent.REFUSED): OperationStatus.FAILED,
        (OperationStatus.PENDING, OperationEvent.WINDOW_ELAPSED): OperationStatus.EXPIRED,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenRequest:
    """The provider request, fixed once. Every retry sends exactly `params_json`."""

    params_json: str
    params_hash: str
    schema_version: str
    sdk_name: str
    sdk_version: str
    api_version: str
    frozen_at: datetime
    replay_deadline_at: datetime
    session_expires_at_upper_bound: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of billing_request_idempotency, as the core sees it. Times are aware UTC.

    `provider_attempt` says which key of the operation's series `provider_idempotency_key` is.
    """

    id: int
    billable_entity_id: int
    action: Action
    flow: str | None
    client_idempotency_key: str
    request_fingerprint_hash: str
    operation_key: str
    provider: str
    provider_idempotency_key: str
    status: OperationStatus
    lease_version: int
    lease_owner: str | None
    lease_expires_at: datetime | None
    recovery_attempt_count: int
    frozen: FrozenRequest | None
    provider_session_id: str | None
    response_status: int | None
    response_body: bytes | None
    failure_code: str | None
    created_at: datetime
    provider_attempt: int = 1

    def is_leased(self, now: datetime) -> bool:
        """Someone still owns it. A pending row without a lease end is nobody's."""
        return (
            self.status is OperationStatus.PENDING
            and self.lease_expires_at is not None
            and self.lease_expires_at > now
        )


@dataclass(frozen=True, slots=True)
class StalledOperation:
    """A pending operation whose lease has ended."""

    row_id: int
    billable_entity_id: int
    operation_key: str
    lease_version: int
