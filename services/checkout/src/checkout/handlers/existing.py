"""The key, or the entity, is taken already: what the command is answered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from billing_common.contracts.commands import BillingWrite, Command
from billing_common.domain.errors import PoisonError
from billing_common.domain.failure_codes import FailureCode
from billing_common.domain.idempotency import Operation
from billing_common.storage.insert_once import Conflict
from billing_common.storage.transaction import WriteConnection
from checkout.decisions.answers import (
    RETRY_SOON_SECONDS,
    Answer,
    Asked,
    in_progress,
    refusal,
    stored_answer,
)
from checkout.decisions.blockade import Evidence
from checkout.decisions.claim import (
    InProgress,
    KeyConflict,
    LeaseEnded,
    Replay,
    decide_existing,
)
from checkout.handlers.actions.registry import AnyAction
from checkout.repository import operations


class OperationKeyTaken(PoisonError):  # noqa: N818 - exceptions are facts here
    """The command's operation key belongs to another client key: it was not derived by us."""

    code = "operation_key_taken"


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """One command to claim for. `provider_customer_id`: None when the entity has no customer.

    `evidence`: what the provider said of sessions in doubt; None when it was not asked.
    """

    action: AnyAction
    command: Command
    payload: BillingWrite
    provider_customer_id: str | None
    evidence: Mapping[str, Evidence] | None = None

    @property
    def entity_id(self) -> int:
        """Whose operation it is."""
        return self.command.billable_entity_id

    @property
    def asked(self) -> Asked:
        """Who waits for the answer."""
        return Asked(self.command.operation_key, self.command.request_id)


async def answer_taken(
    connection: WriteConnection, request: ClaimRequest, conflict: Conflict, now: datetime
) -> Answer | LeaseEnded:
    """The insert was refused: by this client intent's own row, or by the entity's pending one."""
    existing = await operations.lock_by_client_key(
        connection,
        billable_entity_id=request.entity_id,
        action=request.action.name,
        client_idempotency_key=request.payload.client_idempotency_key,
    )
    if existing is not None:
        return answer_existing(existing, request, now)
    if conflict.key_name != operations.ENTITY_HAS_PENDING_CHECKOUT:
        raise OperationKeyTaken("another client key has this operation key")
    pending = await operations.find_pending_checkout_key(
        connection, billable_entity_id=request.entity_id
    )
    return refusal(
        FailureCode.CHECKOUT_IN_PROGRESS,
        request.asked,
        details={"operationKey": pending} if pending else None,
        retry_after_seconds=RETRY_SOON_SECONDS,
    )


def answer_existing(
    existing: Operation, request: ClaimRequest, now: datetime
) -> Answer | LeaseEnded:
    """Replay it, refuse it, wait for it, or recover it."""
    fingerprint_hash = request.payload.request_fingerprint_hash
    match decide_existing(existing, fingerprint_hash=fingerprint_hash, now=now):
        case Replay(operation):
            return stored_answer(operation)
        case KeyConflict():
            return refusal(FailureCode.IDEMPOTENCY_CONFLICT, request.asked)
        case InProgress(retry_after_seconds):
            return in_progress(request.asked, retry_after_seconds=retry_after_seconds)
        case LeaseEnded() as ended:
            return ended
